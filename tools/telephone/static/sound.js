// What the telephone makes heard, and what it hears. All sound is 8 kHz, 16 bit, one channel, little-endian.

const RATE = 8000;
const AHEAD_S = 0.12; // so much sound waits, so that a late piece is not missed
const LATE_S = 1; // more than that is old news
const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477];
const PAD = ["123", "456", "789", "*0#"];

const wave = (at, ...tones) => tones.reduce((sum, hz) => sum + Math.sin(2 * Math.PI * hz * at), 0) / tones.length;
const hum = (at) => wave(at, 400) * (0.65 + 0.35 * Math.sin(2 * Math.PI * 25 * at));
// [seconds of one round, level, what sounds at each moment of it]: India's ring-back, busy and unobtainable tones, a ringer
const TONES = {
  ringing: [3, 0.14, (at) => (at % 3 < 0.4 || (at % 3 > 0.6 && at % 3 < 1) ? hum(at) : 0)],
  busy: [1.5, 0.12, (at) => (at % 1.5 < 0.75 ? wave(at, 400) : 0)],
  unreachable: [3, 0.12, (at) => (at % 3 < 2.8 ? wave(at, 400) : 0)],
  incoming: [3, 0.16, (at) => (at % 3 < 1.4 ? wave(at, (at * 20) % 2 < 1 ? 660 : 880) * Math.exp(-((at * 10) % 1)) : 0)],
};

export class Speaker {
  constructor() {
    this.context = null;
    this.next = 0; // when the next piece of the call is to begin
    this.heard = 0; // seconds of the call that were more than silence
    this.level = 0;
    this.tone = null;
  }

  // After a click only: before that a browser plays nothing.
  wake() {
    this.context ??= new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    if (this.context.state === "suspended") this.context.resume();
    return this.context;
  }

  begin() {
    this.next = 0;
    this.heard = 0;
    this.level = 0;
    this.odd = null;
  }

  // The next piece of the call, bytes as they came.
  play(bytes) {
    const context = this.wake();
    if (this.odd !== null) bytes = new Uint8Array([this.odd, ...bytes]);
    this.odd = bytes.length % 2 ? bytes[bytes.length - 1] : null;
    const count = bytes.length >> 1;
    if (!count) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, count * 2);
    const buffer = context.createBuffer(1, count, RATE);
    const samples = buffer.getChannelData(0);
    let peak = 0;
    for (let i = 0; i < count; i++) {
      samples[i] = view.getInt16(2 * i, true) / 32768;
      peak = Math.max(peak, Math.abs(samples[i]));
    }
    if (peak > 0.01) this.heard += count / RATE;
    this.level = Math.max(peak, this.level * 0.8);
    const now = context.currentTime;
    if (this.next > now + LATE_S) return; // this tab was asleep: catch up
    if (this.next < now) this.next = now + AHEAD_S;
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(context.destination);
    source.start(this.next);
    this.next += count / RATE;
  }

  // A tone that goes on until another one, or "", is wanted.
  sound(name) {
    if (this.tone?.name === name) return;
    this.tone?.source.stop();
    this.tone = null;
    if (!name || !this.context) return;
    const [seconds, level, shape] = TONES[name];
    this.tone = { name, source: this.#start(seconds, level, shape) };
    this.tone.source.loop = true;
  }

  // The key's own tone, for whoever presses it.
  key(key) {
    const row = PAD.findIndex((keys) => keys.includes(key));
    const tones = [ROWS[row], COLUMNS[PAD[row].indexOf(key)]];
    this.wake();
    this.#start(0.12, 0.12, (at) => wave(at, ...tones) * Math.min(1, at * 300, (0.12 - at) * 300));
  }

  #start(seconds, level, shape) {
    const buffer = this.context.createBuffer(1, Math.round(seconds * RATE), RATE);
    buffer.getChannelData(0).forEach((_, i, samples) => (samples[i] = level * shape(i / RATE)));
    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.context.destination);
    source.start();
    return source;
  }
}

export class Microphone {
  constructor(give) {
    this.give = give; // gets an ArrayBuffer each fifth of a second
    this.stream = null;
    this.context = null;
  }

  get on() {
    return this.stream !== null;
  }

  // Throws when there is none, or nobody may use it.
  async start() {
    this.stream = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule("/its/microphone.js");
    if (!this.stream) return; // switched off meanwhile
    const node = new AudioWorkletNode(this.context, "microphone", { numberOfOutputs: 0 });
    node.port.onmessage = ({ data }) => this.on && this.give(data);
    this.context.createMediaStreamSource(this.stream).connect(node);
  }

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.context?.close();
    this.stream = this.context = null;
  }
}
