"""What a person runs by hand: the `miscall` command, a modem in software, the demo, the doctor. Nothing imports it."""
