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
export function verdictSentence(verdict, unsure) {
  if (verdict === "like") return "You would probably like it.";
  if (verdict === "dislike") return "You would probably not like it.";
  const between = unsure ? ` Between ${score(unsure[0])} and ${score(unsure[1])} nothing is certain.` : "";
  return `It is too close to tell.${between}`;
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

/** What a row of the list says to a screen reader. */
export function rowWords(song) {
  const said = [];
  if (song.rank) said.push(`Rank ${count(song.rank)}`);
  said.push(nameOf(song));
  if (song.score !== null && song.score !== undefined) said.push(`score ${score(song.score)}`);
  if (song.verdict) said.push(verdictWord(song.verdict).toLowerCase());
  if (song.label) said.push(`${song.label}d by you`);
  const moved = placesMoved(song);
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
  const did = label ? `${label === "like" ? "Liked" : "Disliked"}` : "Cleared the label of";
  const name = inline(titleOf(song));
  if (answer.note) return sentence(`${did} ${name}: ${answer.note}`);
  if (answer.taste?.trained && !begun) return `${did} ${name}: your library is ranked now.`;
  if (answer.taste?.trained) return `${did} ${name}: ${changedWords(answer)}.`;
  return sentence(`${did} ${name}`);
}

/** Which verdicts a label changed: "A, B and 3 more are likely now; 2 other verdicts changed" */
export function changedWords(answer) {
  const counts = answer.n_changed ?? {};
  const all = Object.values(counts).reduce((sum, one) => sum + one, 0);
  const likely = counts.like ?? 0;
  const others = all - likely;
  if (!all) return "no other verdict changed";
  const rest = `${count(others)} ${likely ? "other " : ""}${others === 1 ? "verdict" : "verdicts"} changed`;
  if (!likely) return rest;
  const named = answer.changed.filter((one) => one.verdict === "like");
  const names = listed(named.map((one) => inline(titleOf(one))), 2, likely);
  const said = `${names} ${likely === 1 ? "is" : "are"} likely now`;
  return others ? `${said}; ${rest}` : said;
}

/** What the service says in half a sentence, as a whole one. */
export function sentence(words) {
  const first = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.?!…]$/.test(first) ? first : `${first}.`;
}
