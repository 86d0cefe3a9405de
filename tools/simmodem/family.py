"""How the seven kinds of modem differ, as data: names, shapes of lines, end marks, habits.

Named like the profiles in `firmware_config/modems`. This is the modem's side, written from the
makers' manuals and from logs, and never read from the box's own profiles: a mistake in one must
show against the other. Braces in a template: {number} {kind} {validity} {id} {seconds} {hhmmss}
{clock} {direction} {status} {name}.
"""

from __future__ import annotations

from dataclasses import dataclass, field


def _marks(refuse: str = "BUSY", off: str = "NO CARRIER", *behind: str) -> dict[str, tuple[str, ...]]:
    """Final result codes; smstools' table has BUSY for one who refuses too, and only +CEER tells."""
    marks = {"busy": "BUSY", "refuse": refuse, "no-answer": "NO ANSWER", "off": off}
    return {does: (mark, *behind) for does, mark in marks.items()}


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of modem.

    cvhu          +CVHU after power-on; at 1 ATH answers OK and does nothing
    usb           a restart takes the port away and brings another
    call_ids      ids that +CLCC gives, first free first
    data_call     +CLCC lists the LTE data context before the voice calls
    plain_kind    type of address of a number without a plus
    double_cr     from the second RING on, URCs are framed with two CRs
    end_*         lines at the end of a call: by us, by a caller who gave up, after talking
    end_placed    lines at the end of a call of ours that was not answered, by what the callee did
    ceer          the answer to AT+CEER: {cause} {words}
    end_first     the end mark comes before the OK of the hang-up command
    dtmf          what it writes when the caller presses a key, while the setting that `dtmf_switch`
                  names begins with the value there
    pcm           the command that switches the audio port on; "" no such port
    files         whose commands store, play and record files: simcom, quectel, "" nobody's
    time          what it writes when the network tells the time: {utc} {local} {zone}
    vendor        commands of its own that only remember a value, with that value
    named         those whose value belongs to a name: +QCFG="usbnet",1
    """

    name: str
    label: str
    cgmi: str
    cgmm: str
    cgmr: str
    cvhu: str = "0"
    usb: bool = False
    ring_s: float = 5.0
    clip: str = '+CLIP: "{number}",{kind},,,,{validity}'
    clip_withheld: str = '+CLIP: "",128,,,,{validity}'
    clcc: str = '+CLCC: {id},{direction},{status},0,0,"{number}",{kind}'
    call_ids: tuple[int, ...] = (1, 2, 3)
    data_call: bool = False
    plain_kind: int = 129
    double_cr: bool = False
    end_local: tuple[str, ...] = ()
    end_gave_up: tuple[str, ...] = ("NO CARRIER",)
    end_talked: tuple[str, ...] = ("NO CARRIER",)
    end_placed: dict[str, tuple[str, ...]] = field(default_factory=lambda: _marks())
    ceer: str = "+CEER: {words}"
    end_first: bool = False
    answered: tuple[str, ...] = ()
    dialled: tuple[tuple[float, str], ...] = ()
    connected: tuple[str, ...] = ()
    dtmf: str = ""
    dtmf_switch: tuple[str, str] = ("", "")
    pcm: str = ""
    files: str = ""
    time: str = ""
    store: str = "SM"
    capacity: int = 30
    store_full: str = ""
    unknown: str = "ERROR"
    noise: tuple[str, ...] = ("+CREG: 1", "+CIEV: 2,4")
    boot: tuple[str, ...] = ()
    down: str = "NORMAL POWER DOWN"
    iccid: str = "+CCID"
    vendor: dict[str, str] = field(default_factory=dict)
    named: dict[str, dict[str, str]] = field(default_factory=dict)


_SIMCOM = {"+CLTS": "0", "+MORING": "0", "+CATR": "0", "+DDET": "0", "+CTZR": "0"}

_ALL = (
    Family(
        "generic",
        "any 27.007/27.005 modem",
        "Generic",
        "GSM-900",
        "1.00",
        end_gave_up=(),
        end_placed=_marks(off="NO ANSWER"),
    ),
    Family(
        "huawei-voice",
        "Huawei E1550/E173 class stick",
        "huawei",
        "E1752",
        "11.126.13.00.00",
        cvhu="1",
        usb=True,
        end_local=("^CEND:{id},{seconds},29,16",),
        end_gave_up=("^CEND:{id},0,104,16",),
        end_talked=("^CEND:{id},{seconds},25,16",),
        end_placed={  # the causes are 24.008's; that the status is 104 is inferred from a caller who gave up
            "busy": ("^CEND:{id},0,104,17",),
            "refuse": ("^CEND:{id},0,104,21",),
            "no-answer": ("^CEND:{id},0,104,19",),
            "off": ("^CEND:{id},0,104,27",),
        },
        answered=("^CONN:{id},0",),
        dialled=((0.0, "^ORIG:{id},0"), (0.2, "^CONF:{id}")),
        connected=("^CONN:{id},0",),
        dtmf="^DDTMF: {key}",
        dtmf_switch=("^DDTMFCFG", "0,1"),
        pcm="^DDSETEX",
        time="^NWTIME: {local:%y/%m/%d,%H:%M:%S}{zone},00",
        store_full='^SMMEMFULL:"SM"',
        unknown="COMMAND NOT SUPPORT",
        noise=("^RSSI:18", "^BOOT:27710117,0,0,0,75", "^MODE:3,3", '^HCSQ:"WCDMA",30,30,58'),
        boot=("^SIMST:1", "^SRVST:2", "^MODE:5,4"),
        iccid="^ICCID",
        vendor={
            "^CURC": "1",
            "^PORTSEL": "0",
            "^CVOICE": "0,8000,16,20",
            "^U2DIAG": "0",
            "^USSDMODE": "1",
            "^DDTMFCFG": "1,0",
            "^SYSCFG": "2,0,3FFFFFFF,1,2",
        },
    ),
    Family(
        "sim800",
        "SIMCom SIM800/SIM900",
        "SIMCOM_Ltd",
        "SIMCOM_SIM800C",
        "1418B05SIM800C24",
        clip='+CLIP: "{number}",{kind},"",,"{name}",{validity}',
        clip_withheld='+CLIP: "",128,"",0,"",{validity}',
        clcc='+CLCC: {id},{direction},{status},0,0,"{number}",{kind},"{name}"',
        dtmf="+DTMF: {key}",
        dtmf_switch=("+DDET", "1"),
        time='*PSUTTZ: {utc:%Y, %m, %d, %H, %M, %S}, "{zone}", 0',
        capacity=20,
        noise=('+CIEV: 10,"40420","Vi","Vi", 0, 0', "UNDER-VOLTAGE WARNNING"),
        boot=("RDY", "+CFUN: 1", "+CPIN: READY", "Call Ready", "SMS Ready"),
        vendor=_SIMCOM | {"+CLCC": "0", "+CIURC": "1", "+IPR": "115200"},
    ),
    Family(
        "sim7600",
        "SIMCom SIM7600/SIM7500",
        "SIMCOM INCORPORATED",
        "SIMCOM_SIM7600E-H",
        "LE20B03SIM7600M22",
        cvhu="1",
        usb=True,
        ring_s=6.0,
        clip='+CLIP: "{number}",{kind},,,"{name}",{validity}',
        call_ids=(4, 3, 2),
        plain_kind=128,
        double_cr=True,
        end_local=("VOICE CALL: END: {hhmmss}",),
        end_gave_up=("MISSED_CALL: {clock} {number}",),
        end_talked=("VOICE CALL: END: {hhmmss}",),
        end_placed=_marks("NO CARRIER", "NO CARRIER", "VOICE CALL: END"),
        end_first=True,
        answered=("VOICE CALL: BEGIN",),
        connected=("VOICE CALL: BEGIN",),
        dtmf="+RXDTMF: {key}",
        dtmf_switch=("+DDET", "1"),
        pcm="+CPCMREG",
        files="simcom",
        store_full="+SMS FULL",
        noise=("+CIEV: 7,1", '+CREG: 1,"4CA","81DE445",7'),
        boot=("RDY", "+CPIN: READY", "SMS DONE", "PB DONE"),
        iccid="+CICCID",
        vendor=_SIMCOM | {"+CLCC": "0", "$QCRCIND": "0", "+CPCMREG": "0", "+COUTGAIN": "4", "+CMICGAIN": "4"},
    ),
    Family(
        "a76xx",
        "SIMCom A7670/A7672",
        "INCORPORATED",
        "A7670E-FASE",
        "A7670M7_V1.11.1",
        cvhu="1",
        usb=True,
        ring_s=6.0,
        end_local=("VOICE CALL: END: {hhmmss}",),
        end_talked=("VOICE CALL: END: {hhmmss}",),
        # NO CARRIER before VOICE CALL: END, and the quoted cause, as a public log of an A7672 has them.
        end_placed=_marks("NO CARRIER", "NO CARRIER", "VOICE CALL: END"),
        ceer='+CEER: "{cause} {words}"',
        answered=("VOICE CALL: BEGIN",),
        connected=("VOICE CALL: BEGIN",),
        noise=("+CTZV: +22", "+CGEV: EPS PDN ACT 1"),
        boot=("*ATREADY: 1", "+CPIN: READY", "SMS DONE", "PB DONE"),
        iccid="+CICCID",
        files="simcom",
        vendor={"+CATR": "0", "+CTZR": "0"},
    ),
    Family(
        "quectel-2g",
        "Quectel M66/M95/MC60",
        "Quectel_Ltd",
        "Quectel_M66",
        "M66FAR01A12BT",
        clip='+CLIP: "{number}",{kind},"",,"{name}",{validity}',
        dtmf="+QTONEDET: {ascii}",
        dtmf_switch=("+QTONEDET", "1"),
        noise=("+CREG: 1", "UNDER_VOLTAGE WARNING"),
        boot=("RDY", "+CFUN: 1", "+CPIN: READY", "Call Ready"),
        iccid="+QCCID",
        vendor={"+QTONEDET": "0", "+QTDMOD": "0,0", "+QSFR": "7", "+IPR": "115200", "+QINISTAT": "3"},
    ),
    Family(
        "quectel-lte",
        "Quectel EC25/EG25/EC21",
        "Quectel",
        "EC25",
        "EC25EFAR06A06M4G",
        usb=True,
        ring_s=6.0,
        clip='+CLIP: "{number}",{kind},,,"{name}",{validity}',
        call_ids=(2, 3, 4),
        data_call=True,
        end_placed=_marks("NO CARRIER"),
        dtmf="+QTONEDET: {ascii}",
        dtmf_switch=("+QTONEDET", "1"),
        pcm="+QPCMV",
        files="quectel",
        store="ME",
        capacity=255,
        store_full='+QIND: "smsfull","ME"',
        noise=('+QIND: "csq",23,99', '+QIND: "act","LTE"'),
        boot=("RDY", "+CFUN: 1", "+CPIN: READY", "+QUSIM: 1", "+QIND: SMS DONE", "+QIND: PB DONE"),
        down="POWERED DOWN",
        iccid="+QCCID",
        vendor={
            "^DSCI": "0",
            "+QTONEDET": "0",
            "+QPCMV": "0,0",
            "+QINISTAT": "7",
            "+CTZR": "0",
        },
        named={
            "+QINDCFG": {'"ccinfo"': "0", '"smsfull"': "0", '"ring"': "1"},
            "+QURCCFG": {'"urcport"': '"usbat"'},
            "+QCFG": {'"usbnet"': "0"},
            "+QGPSCFG": {'"outport"': '"usbnmea"'},
        },
    ),
)
FAMILIES = {family.name: family for family in _ALL}


def family(name: str) -> Family:
    """Raises ValueError that lists the names."""
    if name not in FAMILIES:
        raise ValueError(f"no modem is called {name!r}; there are: {', '.join(FAMILIES)}")
    return FAMILIES[name]
