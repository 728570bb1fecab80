// The headings above the first song of each verdict: where they stand, and what they take of the list's height.

import { groupHeading } from "../base/words.js";

const VERDICTS = ["like", "unsure", "dislike"];
const SHARE = 1.625 / 3.75; // of a row's height

/**
 * Which rows have a heading above them; none where the list is not in the order of scores.
 * @param {any} groups how many songs each verdict has @param {any} query
 * @returns {Map<number, string>}
 */
export function headingsOf(groups, query) {
  const headings = new Map();
  if (!groups || query.sort !== "score" || query.like) return headings;
  let start = 0;
  for (const verdict of query.order === "asc" ? [...VERDICTS].reverse() : VERDICTS) {
    const n = groups[verdict];
    if (n) headings.set(start, groupHeading(verdict, n));
    start += n;
  }
  return headings;
}

/** How many pixels the headings down to a row take, its own included; a row takes `height`. */
export function headingsHeight(headings, index, height) {
  let n = 0;
  for (const start of headings.keys()) if (start <= index) n += 1;
  return n * SHARE * height;
}
