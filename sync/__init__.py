"""The road to headquarters, and headquarters.

wire.py       what crosses the air: batch, hello, acknowledgement; columns.py is how its rows are written
mqtt.py       one connection to a broker, on whichever MQTT it speaks
uplink.py     a box's process: ledger rows out, acknowledgements in; courier.py decides what goes when
broker.py     an embedded broker, for a demo on a machine where nothing may be installed
hq/           headquarters: receiver, store, exports, reports, web
"""
