"""The box in the field office. Each SIM is one small process with one loop; every file has one writer.

    events.py     every word the house speaks: what happened, what to do, the shape of a row
    dialogue.py   every word of a conversation: what was heard of the caller, what is to be said and written
    at.py urc.py  the modem's language: bytes and time in, events and bytes out
    script.py     how a dialogue with the modem is written: a generator
    sms/ gsm7.py  text to PDUs and back
    numbers.py    who calls: E.164, short, withheld
    call.py       the life of one call, as a table        (recent.py: what it remembers of the last ones)
    ivr/          the conversation with a caller who is answered, as a table
    hearing.py    keys and speech in a caller's sound
    rules.py      may this message or call go now, later or never, and why
    campaign.py   what a number stands for: languages, replies, STOP words
    menu.py phrases.py advice.py    what a campaign says and asks, what every campaign says, what its author should know
    profile.py    how one model of modem speaks, checked when read
    config.py     box.toml, checked when read            (settings.py: the checker of all three)
    ledger/       one line's durable truth: the only writer; all the SQL on the box
    bringup.py letters.py    the scripts: make ready and watch; send and receive SMS
    outbox.py     which letter goes next, claimed under the box's lock
    talk/         one call that talks, from ATA or ATD to its end, on the modem's PCM or on its own files
    switchboard.py           when a line talks: answer, ring back, carry files
    errands.py    what headquarters asks of a line, carried out once
    station.py    one line's conduct: all of the above, without port and clock
    clock.py port.py line.py the loop for one modem: wait, feed, obey
    audio/ voice.py          the helper process of a talking line, which alone moves sound, and the line's side of it
    recognise.py  a few spoken words beside the keys, an extra: a process of its own
    prompts.py recordings.py speaking.py wavfile.py    prompts, takes, and their files
    orders.py     where a line reads what headquarters asks of it
    box.py        the processes of one box
    fold.py export.py status.py words.py page.py  what people see of it

The life of one call:

    modem --bytes--> line --> station.receive(data, stamp)
                     at.receive  --> Rang, CallerSeen("+91...")
                     call.on     --> [Keep(missed), HangUp("AT+CHUP")]
    1  ledger.keep_call   the call and its queued reply, one transaction, on disk     durable first
    2  AT+CHUP            before anything else that waits; then AT+CLCC, then ATH     polite second
    3  when nobody rings  under the box's send lock: rules.decide, `sending` on disk, AT+CMGS, `sent`
    the uplink reads the rows behind headquarters' mark; headquarters acknowledges after its own commit

On a line with a menu the second step is ATA, and the call is talk's until it is over:

    helper --{"key": "1"}--> line --> station.sound --> talk.heard --> ivr.on(KeyPressed("1"), now)
                     [Say(...), Step(...)]      sound first, the row behind it
                     [Choice(...), Say(...)]    what confirms is said once it is on disk
    the helper paces 20 ms frames on its own clock, so that no commit is ever heard
"""
