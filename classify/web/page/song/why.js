// Why a song has its score, in words and small charts: passages to hear, tags that pull up and down, the
// liked and disliked moments that it resembles. The words follow `sevensongs explain`.

import { bdi, h } from "../base/dom.js";
import { clock, points, score, titleOf, verdictSentence } from "../base/words.js";

const TELLING_R2 = 0.25; // below that tags tell too little of a taste to be named
const LEAST = 0.005;
const MOST_TAGS = 6;
const ALIKE = 0.5;

/**
 * @param {any} found the explanation
 * @param {(at_s: number) => void} seek plays the song from there
 * @returns {Node[]}
 */
export function whyParts(found, seek) {
  return [story(found), moments(found, seek), sound(found), resembles(found, seek)].filter(Boolean);
}

function part(heading, ...children) {
  return h("section", { class: "part" }, h("h3", {}, heading), ...children);
}

function story(found) {
  const label =
    found.label && `You have called it a ${found.label} yourself, and the taste has learnt from that.`;
  const strange = `It is unlike anything known, and is held down for that (${points(found.unfamiliar)}).`;
  const lines = [heard(found), label, way(found), found.unfamiliar < -LEAST ? strange : null].filter(Boolean);
  return part(
    "Why this score",
    h("p", {}, verdictSentence(found.verdict, found.unsure)),
    ...lines.map((words) => h("p", { class: "muted" }, words)),
  );
}

/** That the score is another one now that all of the song was heard; "" where it is not. */
function heard(found) {
  const before = found.scanned_score;
  if (before === null || before === undefined || score(before) === score(found.score)) return "";
  const n = found.scanned_windows;
  const scan = `It had ${score(before)} from a scan of ${n} ${n === 1 ? "window" : "windows"}`;
  return `${scan}, and has ${score(found.score)} now that all of it was heard.`;
}

/** How the points lead from a song on the fence to this one's score. */
function way(found) {
  const sum = (values) => values.reduce((all, one) => all + one, 0);
  const rest = sum(found.points) - sum(found.passages.map((one) => one.points));
  const others = Math.abs(rest) >= LEAST ? ` and the rest of it (${points(rest)})` : "";
  const moments = found.passages.length === 1 ? "the moment" : "the moments";
  const from = `A song half-way between what you like and the rest has ${score(found.start_score)}.`;
  const lead = others || found.passages.length > 1 ? "lead" : "leads";
  if (!found.passages.length) return `${from} This one has ${score(found.score)}.`;
  return `${from} From there ${moments} below${others} ${lead} to ${score(found.score)}.`;
}

function moments(found, seek) {
  if (!found.passages.length) return null;
  const most = Math.max(...found.passages.map((one) => Math.abs(one.points)), 0.01);
  const items = found.passages.map((one) =>
    h(
      "li",
      {},
      playFrom(one.start_s, `${clock(one.start_s)} to ${clock(one.end_s)}`, seek),
      diverging(one.points, most),
      h("span", { class: "points" }, points(one.points)),
      h("span", { class: "note muted" }, `all like this, the song would have ${score(one.score)}`),
    ),
  );
  return part("Moments", h("ul", { class: "rows-of-bars" }, ...items));
}

function playFrom(at_s, words, seek) {
  const press = () => seek(at_s);
  return h(
    "button",
    { type: "button", class: "chip", "aria-label": `Play from ${words}`, onclick: press },
    words,
  );
}

/** A bar that grows to the right for what raises the score and to the left for what lowers it. */
function diverging(value, most) {
  const bar = h("span", { class: value < 0 ? "down" : "up" });
  bar.style.width = `${(50 * Math.min(1, Math.abs(value) / most)).toFixed(1)}%`;
  return h("span", { class: "diverging", "aria-hidden": "true" }, bar);
}

function sound(found) {
  const { tags } = found;
  if (!tags)
    return part(
      "Sound",
      h(
        "p",
        { class: "muted" },
        "No tags here: the encoder has none of its own, or there are fewer than 20 songs to weigh them.",
      ),
    );
  if (tags.r2 < TELLING_R2) {
    return part(
      "Sound",
      h("p", { class: "muted" }, "This taste is about something that the encoder's tags have no words for."),
    );
  }
  const told = tags.tags.slice(0, MOST_TAGS).filter((one) => Math.abs(one.points) >= LEAST);
  const most = Math.max(...told.map((one) => Math.abs(one.points)), 0.01);
  const items = told.map((one) =>
    h(
      "li",
      { class: "tag" },
      h("span", { class: "tag-name" }, one.tag),
      diverging(one.points, most),
      h("span", { class: "points" }, points(one.points)),
      h(
        "span",
        { class: "note muted" },
        one.song > one.usual ? "more of it than usual" : "less of it than usual",
      ),
    ),
  );
  const share = `Tags explain ${Math.round(100 * tags.r2)}% of what this taste decides on other songs.`;
  return part("Sound", h("ul", { class: "rows-of-bars" }, ...items), h("p", { class: "small muted" }, share));
}

function resembles(found, seek) {
  const items = [];
  for (const [one, words] of [
    [found.like, "which you like"],
    [found.dislike, "which you dislike"],
  ]) {
    if (!one) continue;
    const verb = one.similarity >= ALIKE ? "sounds like" : "comes nearest to";
    const name = one.title
      ? [bdi(one.title), one.artist ? [" by ", bdi(one.artist)] : null]
      : [bdi(fileOf(one.path))];
    const other = h("span", {}, ...name.flat().filter(Boolean));
    const target = one.id ? h("a", { href: `#song=${one.id}` }, other) : other;
    const text = h("span", {}, ` ${verb} ${clock(one.other_at_s)} of `, target, `, ${words}.`);
    items.push(h("li", {}, playFrom(one.at_s, clock(one.at_s), seek), text));
  }
  return items.length ? part("Sounds like", h("ul", { class: "resembles" }, ...items)) : null;
}

function fileOf(path) {
  return path.split(/[\\/]/).pop() || path;
}

/** Songs that sound alike, as links. */
export function neighbourPart(neighbours) {
  if (!neighbours.length) return null;
  const items = neighbours.map(({ similarity, song }) =>
    h(
      "li",
      {},
      h(
        "a",
        { href: `#song=${song.id}` },
        bdi(titleOf(song), { class: "title" }),
        song.artist ? bdi(song.artist, { class: "artist" }) : null,
      ),
      h(
        "span",
        { class: "digits muted", title: "how alike they sound, of 1" },
        `${Math.round(100 * similarity)}%`,
      ),
    ),
  );
  return part("Neighbours", h("ul", { class: "neighbours" }, ...items));
}
