"""The desk: what somebody must hear or read, until the caller says that it is well.

    states   which moves a thing may make, and how its clock runs; pure
    tables   the desk's tables, in the desk store
    gather   takes over from the events store what boxes have sent: the inbox is a copy that can be asked quickly
    inbox    what of it is shown: filters, pages by key, counts, what the same caller left besides
    act      moves, assignment, tags and notes; two people at one thing
    search   words of notes and letters, the same answers on both stores
    replies  texts, their cost, and orders for an SMS or a call back
    wave     answering all callers of a tag: long work that a restart does not double
    shown    things as a page tells them: masked, in local time
    sounds   a recording's file, and the drawing of it
"""
