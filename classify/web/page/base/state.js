// What the parts of the page share, and how they hear of changes. No part calls another to say that something
// changed: it emits an event here, so that each can be read, and left out, alone.

/**
 * @typedef {object} Song
 * @property {string} id
 * @property {number | null} rank
 * @property {number | null} rank_before
 * @property {number | null} score
 * @property {"like" | "unsure" | "dislike" | null} verdict
 * @property {"like" | "dislike" | null} label
 * @property {string | null} artist
 * @property {string | null} title
 * @property {string | null} album
 * @property {string} name
 * @property {string} path
 * @property {number | null} duration_s
 * @property {{tag: string, score: number, usual: number}[]} [tags]
 * @property {string} [url] where a file that is not in the library is played from
 */

/** @typedef {"discover" | "teach" | "map" | "library" | "tastes" | "report"} View */

/** @typedef {{q: string, sort: string, order: "asc" | "desc", label: string, verdict: string,
 *   like?: string, move?: string}} Query */

export const state = {
  /** @type {any} the answer of /v1/health */ health: null,
  /** @type {View} what the middle shows */ view: "discover",
  /** @type {string | null} the taste in use */ taste: null,
  /** @type {any[]} */ tastes: [],
  /** @type {Query} */ query: { q: "", sort: "score", order: "desc", label: "none", verdict: "" },
  /** @type {Song | null} whose details are shown, and what the player has loaded */ selected: null,
  /** @type {Song | null} what the player has loaded */ playing: null,
  paused: true,
  /** @type {number | null} the revision whose order the list keeps after a label */ heldOrder: null,
  /** songs in the library; -1 while unknown */ total: -1,
};

const bus = new EventTarget();

/**
 * Listen to: "ready" (health is known), "taste" (another one is in use), "list" (a page of it came),
 * "list-failed", "again" (it shall be tried), "view" (another one is shown), "select" (a song to show), "open" (its sheet, too), "queue" (of finds, has changed), "playing" (song, or paused changed), "cover" (a song has one, its id), "gain" (how loud a song is
 * is known now; null: of any),
 * "label" ({id, label}: a song's label, at once), "label-file" ({song, label}: one for a file from elsewhere), "figures" (of a taste, which has changed), "labelled"
 * ({song, label, answer, more}: the service has learnt from it; more: others are on their way), "library"
 * (songs came or went), "scan" (its progress, or null), "applied" (the new order is shown), "offline", "online", "unauthorised".
 * @param {string} name @param {(detail: any) => void} heard
 */
export function on(name, heard) {
  bus.addEventListener(name, (event) => heard(/** @type {CustomEvent} */ (event).detail));
}

/** @param {string} name @param {any} [detail] */
export function emit(name, detail) {
  bus.dispatchEvent(new CustomEvent(name, { detail }));
}

/** The taste in use, with its figures; undefined while it is not known. */
export function currentTaste() {
  return state.tastes.find((one) => one.name === state.taste);
}

/** Make a song the one of the page: its details are shown, and the player takes it. @param {Song | null} song */
export function select(song) {
  if (song && state.selected?.id === song.id) return;
  state.selected = song;
  emit("select", song);
}
