// What is known of songs, asked for once: what there is at once (tags, what sounds alike), and the moments, for
// which a song is heard whole the first time. Both the panel and the player's curve need these. What nobody waits
// for any more is given up, so that the keyboard may run through a hundred songs and the one it stops at is heard
// first.

import { askJson } from "../base/api.js";
import { on, state } from "../base/state.js";

const MOST = 60;

/** @typedef {{key: string, answer: Promise<any>, abort: AbortController, waiting: Set<string>}} Asked */
/** @type {Map<string, Asked>} */
const known = new Map();
/** What each part of the page has asked for last. @type {Map<string, Asked>} */
const latest = new Map();

/**
 * Ask for what is known of a song at once.
 * @param {string} id
 * @param {string} who asks; it no longer waits for the song that it asked for before
 * @returns {Promise<any>} the answer of /v1/songs/{id}; AbortError where nobody waited for it
 */
export function details(id, who) {
  return asked(`/songs/${id}`, who);
}

/**
 * Ask why a song has its score.
 * @param {string} id
 * @param {string} who asks
 * @param {boolean} [whole] whether all of the song is heard for it first, which takes a while
 * @returns {Promise<any>} the answer of /v1/songs/{id}/moments
 */
export function moments(id, who, whole = false) {
  return asked(`/songs/${id}/moments${whole ? "?whole=true" : ""}`, `${who}, moments`);
}

/**
 * Ask how a song goes, by what is stored of it: at once, and before anything is learnt.
 * @returns {Promise<any>} the answer of /v1/songs/{id}/outline
 */
export function outline(id, who) {
  return asked(`/songs/${id}/outline`, `${who}, outline`);
}

/** Where the moment begins that speaks most for a song. @returns {Promise<number | null>} */
export async function momentOf(id, who) {
  const { explanation } = await moments(id, who);
  const passages = explanation?.passages ?? [];
  const best = passages.reduce((one, other) => (other.points > (one?.points ?? 0) ? other : one), null);
  return best ? best.start_s : null;
}

function asked(path, who) {
  const key = `${state.taste}\n${path}`;
  const now = known.get(key) ?? ask(key, path);
  const before = latest.get(who);
  latest.set(who, now);
  now.waiting.add(who);
  if (before && before !== now) leave(before, who);
  return now.answer;
}

function ask(key, path) {
  const abort = new AbortController();
  const [place, query] = path.split("?");
  const params = { taste: state.taste, whole: query ? true : null };
  const answer = askJson(place, { params, signal: abort.signal });
  const now = { key, answer, abort, waiting: new Set() };
  known.set(key, now);
  answer.then(
    () => now.waiting.add("the next one"), // an answer is kept for whoever asks again
    () => forget(now),
  );
  if (known.size > MOST) known.delete(known.keys().next().value);
  return now;
}

function leave(before, who) {
  before.waiting.delete(who);
  if (before.waiting.size) return;
  forget(before);
  before.abort.abort();
}

function forget(one) {
  if (known.get(one.key) === one) known.delete(one.key);
}

/** Must be set up before the parts that ask again on the same events. */
export function startDetails() {
  for (const name of ["labelled", "library", "elsewhere-shown"]) on(name, () => known.clear());
}
