// A song's picture: its cover, or for songs that bring none seven bars whose heights come from the song's
// digest, always the same for one recording.

import { address } from "../base/api.js";
import { h, s } from "../base/dom.js";
import { emit, on } from "../base/state.js";

const BARS = 7;
const TALL = 24;
const WAIT_MS = 150; // rows that only fly past ask for nothing
/** Whether songs have a cover, of those that were asked for. @type {Map<string, boolean>} */
const known = new Map();
on("library", () => known.clear());

/** @param {string} id the digest, in hexadecimal digits @returns {SVGElement} */
function bars(id) {
  const drawn = [];
  for (let i = 0; i < BARS; i += 1) {
    const share = (Number.parseInt(id.slice(2 * i, 2 * i + 2), 16) || 0) / 255;
    const arch = 1 - Math.abs(i - 3) / 5; // taller in the middle, like the mark
    const height = Math.max(3, TALL * arch * (0.3 + 0.7 * share));
    drawn.push(
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
    ...drawn,
  );
}

/** Where a song's cover is. @param {string} id @param {"small" | "large"} size */
export function coverAddress(id, size) {
  return address(`/songs/${id}/cover.jpg`, { size });
}

/** Whether a song is known to have a cover. */
export function hasCover(id) {
  return known.get(id) === true;
}

/**
 * The bars, and over them the cover as soon as it is there.
 * @param {any} song @param {"small" | "large"} [size]
 * @returns {any[]}
 */
export function cover(song, size = "small") {
  const drawn = bars(song.id);
  if (song.url || known.get(song.id) === false) return [drawn];
  const picture = h("img", { class: "art", alt: "", decoding: "async", hidden: !hasCover(song.id) });
  const ask = () => (picture.src = coverAddress(song.id, size));
  const found = (there) => () => {
    const news = known.get(song.id) !== there;
    known.set(song.id, there);
    if (there) picture.hidden = false;
    else picture.remove();
    if (there && news) emit("cover", song.id);
  };
  picture.addEventListener("load", found(true));
  picture.addEventListener("error", found(false)); // the answer is empty where a song has none
  if (hasCover(song.id)) ask();
  else setTimeout(() => picture.isConnected && ask(), WAIT_MS);
  return [drawn, picture];
}
