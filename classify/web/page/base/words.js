// Numbers and states in words, as the command says them. Nothing here touches the page.

/** @param {number} seconds @returns {string} m:ss or h:mm:ss */
export function clock(seconds) {
  const whole = Number.isFinite(seconds) ? Math.max(0, Math.floor(seconds + 1e-6)) : 0;
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${two(minutes % 60)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** @returns {string} a whole number with its thousands apart */
export function count(number) {
  return new Intl.NumberFormat("en").format(number);
}

/** @returns {string} "1 song", "28 songs" */
export function songs(number) {
  return `${count(number)} ${number === 1 ? "song" : "songs"}`;
}

const STAGES = { "first look": "begun, for an early list", rest: "heard to the end" };

/** How far a scan is: a few windows of each song may be heard before the rest of any. */
export function heardSoFar(done, total, stage) {
  return `${count(done)} of ${songs(total)} ${STAGES[stage] ?? "heard"}`;
}

// Controls, halves of surrogate pairs (from names that are no UTF-8) and marks that turn the direction of what
// follows: with these a name could show as another one. `classify.output.html` replaces the same ones.
const DECEIVING = /[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069\ufffe\uffff]/gu;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u;

/** Text from elsewhere without what deceives. */
export function clean(text) {
  return String(text).replace(DECEIVING, "\ufffd");
}

/** A name within a sentence: isolated where it runs from right to left, so that it turns nothing beside it. */
export function inline(name) {
  const plain = clean(name);
  return RIGHT_TO_LEFT.test(plain) ? `\u2068${plain}\u2069` : plain;
}

const MOST_LETTERS = 40;

/** A name that is short enough for a sentence which passes by. */
export function shortened(name) {
  const letters = [...clean(name)];
  return inline(letters.length > MOST_LETTERS ? `${letters.slice(0, MOST_LETTERS - 1).join("").trimEnd()}…` : name);
}

/** What a song is called: its title, else its file. */
export function titleOf(song) {
  return song.title || song.name || "Untitled";
}

/** Title and artist in one phrase. */
export function nameOf(song) {
  return song.artist ? `${inline(titleOf(song))} by ${inline(song.artist)}` : inline(titleOf(song));
}

/** A score with two digits, as the command writes it. */
export function score(value) {
  return value === null || value === undefined ? "–" : value.toFixed(2);
}

const VERDICTS = { like: "Likely", unsure: "Unsure", dislike: "Unlikely" };

/** The verdict of a taste in a word; labels are what the listener said, so the words differ. */
export function verdictWord(verdict) {
  return VERDICTS[verdict] ?? "";
}

/** What stands above the songs of one verdict, as the command has it. */
export function groupHeading(verdict, number) {
  return `${verdictWord(verdict)}: ${songs(number)}`;
}

/** The verdict in a sentence. */
export function verdictSentence(verdict) {
  if (verdict === "like") return "You would probably like it.";
  if (verdict === "dislike") return "You would probably not like it.";
  return "It is too close to tell.";
}

/** What something adds to a score: +0.12, never -0.00. */
export function points(value) {
  const rounded = Math.round(value * 100) / 100 + 0;
  return `${rounded < 0 ? "−" : "+"}${Math.abs(rounded).toFixed(2)}`;
}

/** How many places a song gained (above 0) or lost by the last training. */
export function placesMoved(song) {
  if (!song.rank || !song.rank_before) return 0;
  return song.rank_before - song.rank;
}

/** "up 4 places" */
export function movedWords(places) {
  const many = Math.abs(places);
  return `${places > 0 ? "up" : "down"} ${count(many)} ${many === 1 ? "place" : "places"}`;
}

/** The match of a song in five steps, from its score. @returns {number} 1 to 5; 0 without a score */
export function matchOf(song) {
  if (song.score === null || song.score === undefined) return 0;
  return Math.min(5, 1 + Math.floor(song.score * 5));
}

const MOST_TAGS = 3;

/** What a song sounds like, in up to three words; none where its encoder has no words. @returns {string[]} */
export function tagWords(song) {
  const words = (song.tags ?? []).map((one) => one.tag.toLowerCase());
  // "alternative" beside "alternative rock" says one thing twice
  const told = words.filter((word, i) => !words.some((other, j) => j < i && isAlike(word, other)));
  return told.slice(0, MOST_TAGS);
}

/** Whether one word is in the other. */
export function isAlike(word, other) {
  return other.includes(word) || word.includes(other);
}

/** What a label is called on the page. */
export function labelWord(label) {
  return label === "like" ? "liked" : "not for you";
}

/** What a row of the list says to a screen reader; `figures`: with rank and score, where they are shown. */
export function rowWords(song, figures) {
  const said = [];
  if (figures && song.rank) said.push(`Rank ${count(song.rank)}`);
  said.push(nameOf(song));
  const match = matchOf(song);
  if (figures && match) said.push(`score ${score(song.score)}`);
  if (song.verdict) said.push(verdictWord(song.verdict).toLowerCase());
  if (!figures && match) said.push(`match ${match} of 5`);
  said.push(...tagWords(song));
  if (song.label) said.push(labelWord(song.label));
  const moved = figures ? placesMoved(song) : 0;
  if (moved) said.push(movedWords(moved));
  return said.join(", ");
}

/** "A", "A and B", "A, B and 3 more"; `all`: how many there are, where not all are named. */
export function listed(names, most = 2, all = names.length) {
  const shown = names.slice(0, most);
  const rest = all - shown.length;
  if (rest > 0) return `${shown.join(", ")} and ${rest} more`;
  return shown.length < 2 ? shown.join("") : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

/** What a label changed, in one sentence for the eye and the ear; `begun`: there was a ranking before. */
export function labelledSentence(song, label, answer, begun) {
  const name = shortened(titleOf(song));
  const did = label
    ? label === "like"
      ? `Liked ${name}`
      : `${name} is not for you`
    : `Took the label of ${name} away`;
  if (answer.note) return sentence(`${did}: ${answer.note}`);
  if (answer.taste?.trained && !begun) return `${did}. There is a first guess now.`;
  if (answer.taste?.trained) return `${did}: ${changedWords(answer)}.`;
  return sentence(did);
}

/** Which songs a label changed: "2 songs became likely, 1 became unlikely"; names where it is one or two. */
export function changedWords(answer) {
  const counts = answer.n_changed ?? {};
  const said = ["like", "unsure", "dislike"]
    .filter((verdict) => counts[verdict])
    .map((verdict) => {
      const n = counts[verdict];
      const named = answer.changed
        .filter((one) => one.verdict === verdict)
        .map((one) => shortened(titleOf(one)));
      const who = verdict === "like" && n <= 2 && named.length === n ? listed(named) : songs(n);
      return `${who} became ${verdictWord(verdict).toLowerCase()}`;
    });
  return said.length ? listed(said, 3) : "nothing else changed";
}

/** How many other songs a label moved to another place or verdict. */
export function movedCount(answer) {
  if (typeof answer.n_moved === "number") return answer.n_moved;
  const changed = Object.values(answer.n_changed ?? {}).reduce((sum, one) => sum + one, 0);
  return Math.max(changed, (answer.entered ?? []).length);
}

/** What the finds of a taste rest on, in a sentence or two. */
export function groundsOf(taste) {
  const { words, step } = trustOf(taste);
  const likes = taste.n_like === 1 ? "the song" : `the ${songs(taste.n_like)}`;
  const known = step >= 4 ? `Seven Songs ${words.charAt(0).toLowerCase()}${words.slice(1)}` : `So far: ${words.toLowerCase()}`;
  return `They sound like ${likes} that you liked. ${known}`;
}

/** How far a taste can be trusted, in words and in five steps. @returns {{words: string, step: number}} */
export function trustOf(taste) {
  if (!taste?.trained) return { words: "Knows nothing yet", step: 0 };
  const low = taste.auc_ci90?.[0] ?? taste.auc;
  if (low === null || low === undefined) return { words: "A first guess", step: 1 };
  if (low >= 0.9) return { words: "Knows your taste very well", step: 5 };
  if (low >= 0.8) return { words: "Knows your taste well", step: 4 };
  if (low >= 0.65) return { words: "A fair idea of your taste", step: 3 };
  if (low >= 0.5) return { words: "A vague idea of your taste", step: 2 };
  return { words: "Mostly guesses", step: 1 };
}

/** "7 likes, 2 not for you" */
export function likesOf(taste) {
  const likes = `${count(taste.n_like)} ${taste.n_like === 1 ? "like" : "likes"}`;
  return taste.n_dislike ? `${likes}, ${count(taste.n_dislike)} not for you` : likes;
}

/** What the service says in half a sentence, as a whole one. */
export function sentence(words) {
  const first = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.?!…]$/.test(first) ? first : `${first}.`;
}
