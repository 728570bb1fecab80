// Shows what a new ranking moved: rows glide from where they were (Paul Lewis's FLIP: first, last, invert,
// play), those that came into view slide in, and the song that was labelled is lit for a moment.

import { mayMove } from "../base/dom.js";

const GLIDE = { duration: 520, easing: "cubic-bezier(.2,.8,.2,1)" };
const WAITS_MS = 10000;

export class Moves {
  constructor() {
    /** @type {{places: Map<string, number>, labelled: string | null, at: number} | null} */
    this.held = null;
    /** @type {Animation[]} */
    this.running = [];
  }

  /**
   * Remember where songs are.
   * @param {{index: number, row: any}[]} visible
   * @param {string | null} labelled
   */
  before(visible, labelled) {
    const places = new Map(
      visible.filter(({ row }) => row.song).map(({ index, row }) => [row.song.id, index]),
    );
    this.held = { places, labelled, at: performance.now() };
  }

  forget() {
    this.held = null;
    this.stop();
  }

  /** End what glides: rows are used again for other songs when the list scrolls. */
  stop() {
    for (const one of this.running.splice(0)) one.cancel();
  }

  /** Move rows from where their songs were. @param {{index: number, row: any}[]} visible */
  after(visible, height) {
    if (!this.held) return;
    const { places, labelled, at } = this.held;
    this.held = null;
    if (performance.now() - at > WAITS_MS) return;
    for (const { index, row } of visible) {
      if (!row.song) continue;
      if (row.song.id === labelled) light(row);
      if (!mayMove()) continue;
      const was = places.get(row.song.id);
      if (was === undefined) this.running.push(come(row));
      else if (was !== index) this.running.push(glide(row, (was - index) * height));
    }
  }
}

function light(row) {
  row.classList.remove("lit");
  void row.offsetWidth; // so that the animation begins anew
  row.classList.add("lit");
  setTimeout(() => row.classList.remove("lit"), 1800);
}

function glide(row, by) {
  const there = row.style.transform;
  return row.animate([{ transform: `${there} translateY(${by}px)` }, { transform: there }], GLIDE);
}

function come(row) {
  const there = row.style.transform;
  const from = { transform: `${there} translateX(-1rem)`, opacity: 0 };
  return row.animate([from, { transform: there, opacity: 1 }], GLIDE);
}
