// Where songs begin that do not begin at their beginning: at the moment that speaks most for them. It is found
// ahead, so that nobody waits for it when a song plays.

import { momentOf, outline } from "../song/details.js";
import { currentTaste, on } from "../base/state.js";

const MOST = 500;
const WAIT_MS = 1200; // for what was not found ahead
/** In seconds, by song. @type {Map<string, number>} */
const begins = new Map();
on("taste", () => begins.clear());

/** Where a song begins, as far as that is known. @returns {number | null} */
export function beginningOf(song) {
  return begins.get(song.id) ?? null;
}

/**
 * Find where a song's best moment begins.
 * @param {any} song
 * @param {string} who asks; it no longer waits for the song that it asked for before
 */
export async function findBeginning(song, who) {
  if (song.url || begins.has(song.id)) return;
  try {
    const moment = currentTaste()?.trained ? await momentOf(song.id, who) : null;
    const found = moment ?? (await outline(song.id, who)).best_s;
    if (begins.size >= MOST) begins.delete(begins.keys().next().value);
    begins.set(song.id, found);
  } catch {
    // it begins at its beginning
  }
}

/** Wait for something, but not for long. @param {Promise<any>} found */
export function soon(found) {
  return Promise.race([found, new Promise((resolve) => setTimeout(resolve, WAIT_MS))]);
}
