"""People behind the calls: outcomes by file, lists for volunteers, invitations, consents, opt-outs, and the right to be
forgotten.

Rules of this room
- Lists and imports touch the desk store only; what boxes have sent is read. Nothing here can hold up the receiver.
- A number stands in the desk store where somebody must ring it, and nowhere else; what outlives it is a keyed hash.
- Queries and decisions are here, pages are in `sync.hq.pages`; jobs are functions of two stores and the time.
"""
