"""The figures of this project, measured: `python -m bench [--quick] [name...]`.

Rules of the house:
- A figure that can be missed says what is to be reached. Nothing is loosened here: a missed one is printed as missed.
- Programs of others are measured on the same simulated modem, in the same run, and set up as well as we know how.
- Nothing is asked of the code under test: times are taken on the wire of the modem, counts are read from the
  ledgers on disk. The same seed gives the same callers.
- Whatever a measurement starts ends with it, however it ends.

    calls.py    the number is known -> the hang-up is on the wire; the ring -> the reply is with the network
    storm.py    more callers than an AT channel can hold
    peers.py    smstools3, gammu-smsd and python-gsmmodem-new on the same modem
    memory.py   what a line and the uplink weigh
    start.py    from `miscall box run` to the first captured call
    voice.py    eight talking lines: frames too late, key -> next prompt, processor, memory
    hearing.py  keys found and false in a caller's sound, beside libspandsp      (ears.py: the sounds, and that ear)
    sound.py    what a recording weighs on the air
    words.py    words said in place of keys: right, missed and false, by language
    road.py     bytes on the air, receiver, backlog         (voters.py: its callers)
    pages.py    what headquarters' pages wait for, at ten million events    (country.py: that store)
    fleet.py    real lines on simulated modems, a stopwatch at the wire
    report.py   figures, table, latest.json
"""
