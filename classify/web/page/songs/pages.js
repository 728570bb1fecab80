// The ranked list as the list needs it: song number i of n, whatever is loaded of it. Pages are fetched as
// they come into view, kept for one revision of the ranking, and replaced, not emptied, when a newer one is
// told.

const PAGE = 100;
const MOST_PAGES = 80;

export class SongPages {
  /**
   * @param {(offset: number, limit: number, signal: AbortSignal) => Promise<any>} fetchPage
   * @param {{changed: () => void, failed: (error: Error) => void}} tell
   */
  constructor(fetchPage, tell) {
    this.fetchPage = fetchPage;
    this.tell = tell;
    /** @type {Map<number, {songs: any[], revision: number}>} in the order of use */
    this.pages = new Map();
    /** @type {Map<number, Promise<void>>} */
    this.coming = new Map();
    this.abort = new AbortController();
    this.matched = -1; // unknown
    this.total = -1;
    /** @type {Record<string, number> | null} how many songs of each verdict are in the list */
    this.groups = null;
    this.revision = -1;
    this.wanted = [0, 0];
  }

  /** Forget everything: another taste, search or order. */
  reset() {
    this.abort.abort();
    this.abort = new AbortController();
    this.pages.clear();
    this.coming.clear();
    this.matched = -1;
    this.wanted = [0, 0];
    return this.fetch(0);
  }

  /** Fetch what is in view again, because the ranking has changed; what was there stays until then. */
  reload() {
    this.abort.abort();
    this.abort = new AbortController();
    this.coming.clear();
    for (const page of this.pages.values()) page.revision = -1;
    return this.fetchWanted();
  }

  /** @param {number} index @returns {any} the song, or undefined where it is not here yet */
  at(index) {
    return this.pages.get(Math.floor(index / PAGE))?.songs[index % PAGE];
  }

  /** The song at an index, fetched if need be. @returns {Promise<any>} */
  async load(index) {
    if (!this.at(index)) await this.fetch(Math.floor(index / PAGE));
    return this.at(index);
  }

  /** @param {string} id @returns {number} its index if it is loaded, else -1 */
  indexOf(id) {
    for (const [number, page] of this.pages) {
      const found = page.songs.findIndex((song) => song.id === id);
      if (found >= 0 && page.revision === this.revision) return number * PAGE + found;
    }
    return -1;
  }

  /** Change a song where it is loaded. */
  patch(id, change) {
    for (const page of this.pages.values()) {
      for (const song of page.songs) if (song.id === id) Object.assign(song, change);
    }
  }

  /** Say which rows are in view. */
  want(first, last) {
    this.wanted = [first, last];
    return this.fetchWanted();
  }

  fetchWanted() {
    const [first, last] = this.wanted;
    const fetched = [];
    for (let page = Math.floor(first / PAGE); page <= Math.floor(last / PAGE); page += 1) {
      const known = this.pages.get(page);
      const past = this.matched >= 0 && page > 0 && page * PAGE >= this.matched;
      if (past || (known && known.revision === this.revision && this.revision >= 0)) continue;
      fetched.push(this.fetch(page));
    }
    return Promise.all(fetched);
  }

  /** @param {number} number */
  fetch(number) {
    const under_way = this.coming.get(number);
    if (under_way) return under_way;
    const { signal } = this.abort;
    const coming = this.fetchPage(number * PAGE, PAGE, signal)
      .then((answer) => {
        if (signal.aborted) return undefined;
        this.coming.delete(number);
        return this.take(number, answer);
      })
      .catch((error) => {
        if (signal.aborted || error.name === "AbortError") return;
        this.coming.delete(number);
        this.tell.failed(error);
      });
    this.coming.set(number, coming);
    return coming;
  }

  take(number, answer) {
    // The order that was asked for, where it is still known: after a label the former one is held.
    const revision = answer.order_revision ?? answer.revision;
    const newer = revision !== this.revision;
    this.revision = revision;
    this.matched = answer.matched;
    this.total = answer.total;
    this.groups = answer.groups;
    this.pages.delete(number);
    this.pages.set(number, { songs: answer.songs, revision });
    if (newer && this.pages.size > 1) {
      // The other pages in view are of an older ranking: a row could be shown twice. All of them come first.
      for (const key of this.pages.keys()) {
        if ((key + 1) * PAGE <= this.wanted[0] || key * PAGE > this.wanted[1]) {
          if (key !== number) this.pages.delete(key);
        }
      }
      return this.fetchWanted().then(() => this.tell.changed());
    }
    for (const key of this.pages.keys()) {
      if (this.pages.size <= MOST_PAGES) break;
      this.pages.delete(key);
    }
    this.tell.changed();
    return undefined;
  }
}
