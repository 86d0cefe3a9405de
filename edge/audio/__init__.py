"""The helper process of one talking line: the one room that moves sound.

    pace.py      when the next frame is due
    player.py    what the caller is told: prompts, silence, the beep
    take.py      a recording: a WAV file that grows, and is mended after a crash
    worker.py    threads for whatever may wait for the card
    words.py     the recogniser's process, where a line has one
    helper.py    the loop: the line's messages, the modem's PCM port, frames in time

The line starts it with `python -m edge.audio FD [LANGUAGE]` and talks with it over a SOCK_SEQPACKET socketpair, one
JSON object a datagram; `edge.voice` is the line's side.

    line -> helper
    {"do": "open", "port": path, "hear_first": bool}   a call is up: open the PCM port, let frames flow
    {"do": "close"}                                    it is over; a take that runs is closed and kept
    {"do": "say", "id": n, "files": [[path, pause_ms], ...]}   play these in place of what is played; "" is the beep
    {"do": "hush"}                                     stop playing
    {"do": "record", "take": n, "file": path, "most_s": s}     a take begins with the next sample that arrives
    {"do": "stop", "keep": bool}                       the take ends; its file goes when `keep` is there and false

    helper -> line
    {"open": true}                                     frames flow; once more after each trouble that is over
    {"trouble": words, "why": "no-port" | "port-held" | "no-sound" | "no-prompt"}
    {"key": "5"}   {"speech": true | false}            heard of the caller
    {"word": "yes", "sure": 0.8, "language": "en"}     understood, soon after the speech it was
    {"played": n}                                      the caller has heard all of say n; never for one cut off
    {"recorded": {"ms", "speech_ms", "sha256"}, "take": n}     on disk; sha256 of the whole file, "" when it was dropped
    {"failed": words, "take": n}                       there is no take, or no more of it; what was got is kept
"""
