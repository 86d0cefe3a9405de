"""The road to headquarters, and headquarters.

wire.py       what crosses the air: batch, hello, acknowledgement; columns.py is how a batch's rows are written
mqtt.py       one connection to a broker, on whichever MQTT it speaks
uplink.py     a box's process: ledger rows out, acknowledgements in
courier.py    its head: what goes when, without a socket or a clock; book.py is what it remembers
broker.py     an embedded broker, for a demo on a machine where nothing may be installed
hq/           headquarters: receiver, store, export, reports, web
"""
