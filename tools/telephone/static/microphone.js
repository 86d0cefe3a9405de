// A worklet: what the microphone hears, brought to 8 kHz and 16 bit, in pieces of a fifth of a second.
"use strict";

const RATE = 8000;
const PIECE = RATE / 5;
const CROSSINGS = 8; // of the low-pass to each side
const FINE = 64; // steps between two of its samples

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.step = sampleRate / RATE;
    this.half = Math.ceil(CROSSINGS * this.step);
    this.kernel = new Float32Array(this.half * FINE + 2);
    const cutoff = 0.92 / this.step;
    for (let i = 0; i < this.kernel.length; i++) {
      const at = i / FINE;
      const x = Math.PI * at * cutoff;
      const window = at < this.half ? 0.5 + 0.5 * Math.cos((Math.PI * at) / this.half) : 0;
      this.kernel[i] = cutoff * (x === 0 ? 1 : Math.sin(x) / x) * window;
    }
    this.held = new Float32Array(0);
    this.at = this.half; // where in `held` the next sample of ours lies
    this.piece = new Int16Array(PIECE);
    this.filled = 0;
  }

  process(inputs) {
    const heard = inputs[0][0];
    if (!heard) return true;
    const held = new Float32Array(this.held.length + heard.length);
    held.set(this.held);
    held.set(heard, this.held.length);
    while (this.at + this.half < held.length) {
      this.give(this.sample(held, this.at));
      this.at += this.step;
    }
    const drop = Math.max(0, Math.floor(this.at) - this.half - 1);
    this.held = held.slice(drop);
    this.at -= drop;
    return true;
  }

  sample(held, at) {
    let sum = 0;
    const first = Math.max(0, Math.ceil(at - this.half));
    for (let i = first; i < at + this.half; i++) sum += held[i] * this.kernel[Math.round(Math.abs(i - at) * FINE)];
    return sum;
  }

  give(value) {
    this.piece[this.filled++] = Math.max(-32767, Math.min(32767, Math.round(value * 32767)));
    if (this.filled < PIECE) return;
    this.port.postMessage(this.piece.buffer, [this.piece.buffer]);
    this.piece = new Int16Array(PIECE);
    this.filled = 0;
  }
}

registerProcessor("microphone", Microphone);
