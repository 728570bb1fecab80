// A picture for songs that bring none: seven bars whose heights come from the song's digest, always the same
// for one recording.

import { s } from "../base/dom.js";

const BARS = 7;
const TALL = 24;

/** @param {string} id the digest, in hexadecimal digits @returns {SVGElement} */
export function cover(id) {
  const bars = [];
  for (let i = 0; i < BARS; i += 1) {
    const share = (Number.parseInt(id.slice(2 * i, 2 * i + 2), 16) || 0) / 255;
    const arch = 1 - Math.abs(i - 3) / 5; // taller in the middle, like the mark
    const height = Math.max(3, TALL * arch * (0.3 + 0.7 * share));
    bars.push(
      s("rect", {
        x: i * 3.6,
        y: ((TALL - height) / 2).toFixed(1),
        width: 2.2,
        height: height.toFixed(1),
        rx: 1.1,
      }),
    );
  }
  return s(
    "svg",
    { class: "cover", viewBox: `0 0 ${BARS * 3.6 - 1.4} ${TALL}`, "aria-hidden": "true" },
    ...bars,
  );
}
