// Why a song has its match: one sentence, moments to hear, what it resembles, its sound in tags on one scale;
// the figures are folded behind "How do you know?".

import { bdi, h, icon } from "../base/dom.js";
import {
  clock,
  isAlike,
  listed,
  matchOf,
  points,
  score,
  sentence,
  shortened,
  titleOf,
  verdictSentence,
} from "../base/words.js";

const TELLING_R2 = 0.25; // below that tags tell too little of a taste to be named
const LEAST = 0.005;
const LEAST_SCALE = 0.1; // what fills half a bar at least, so that a trifle looks like one
const HEARD = 0.05; // a tag of which a song has less, nobody hears in it
const MOST_TAGS = 6;
const MOST_MOMENTS = 4;
const MOST_ALIKE = 5;
const ALIKE = 0.5;

/** Why, in one sentence: "Calm and electronic like Nebula; best at 1:36." @param {any} found the explanation */
export function whySentence(found) {
  const { verdict, like, dislike } = found;
  const liked = like && like.similarity >= ALIKE ? shortened(titleOf(nameOnly(like))) : "";
  const not = dislike && dislike.similarity >= ALIKE ? shortened(titleOf(nameOnly(dislike))) : "";
  const up = listed(tagsOf(found, 1));
  const down = listed(tagsOf(found, -1));
  if (verdict === "dislike") {
    if (not) return sentence(`Sounds like ${not}, which is not for you`);
    return down ? sentence(`Rather ${down} for your taste`) : "Little in it is like what you like.";
  }
  const moment = bestOf(found);
  const best = moment?.start_s ? `; best at ${clock(moment.start_s)}` : "";
  const alike = up && liked ? `${up} like ${liked}` : up || (liked ? `sounds like ${liked}` : "");
  if (verdict === "unsure") {
    const but = not ? ` and like ${not}, which is not for you` : down ? `, but ${down}` : "";
    return alike ? sentence(`Hard to tell: ${alike}${but}`) : verdictSentence(verdict);
  }
  return alike ? sentence(`${alike}${best}`) : sentence(`Much of it is like what you like${best}`);
}

function nameOnly(other) {
  return { title: other.title, name: fileOf(other.path).replace(/\.[^.]{1,5}$/, "") };
}

/** The words for what raises (1) or lowers (-1) the score most. */
function tagsOf(found, way) {
  const { tags } = found;
  if (!tags || tags.r2 < TELLING_R2) return [];
  const fitting = tags.tags.filter(
    (one) => way * one.points >= LEAST && one.song > one.usual && one.song >= HEARD,
  );
  const words = fitting.map((one) => one.tag.toLowerCase());
  // "alternative rock and alternative" says one thing twice
  return words.filter((word, i) => !words.some((other, j) => j < i && isAlike(word, other))).slice(0, 2);
}

function bestOf(found) {
  return found.passages.reduce((one, other) => (other.points > (one?.points ?? 0) ? other : one), null);
}

/**
 * What stands below the moments.
 * @param {any} found the explanation
 * @param {(at_s: number) => void} seek plays the song from there
 * @param {string} [place] the song's among all, in words
 * @returns {Node[]}
 */
export function whyParts(found, seek, place = "") {
  return [resembles(found, seek), sound(found), figures(found, place)].filter(Boolean);
}

function part(heading, ...children) {
  return h("section", { class: "part" }, h("h3", {}, heading), ...children);
}

/**
 * The moments that speak most for the song, as buttons; and that not all of it was heard.
 * @param {any} found the explanation
 * @param {(at_s: number) => void} seek plays the song from there
 * @param {((event: Event) => void) | null} whole has all of the song heard; null where nothing can
 */
export function momentsPart(found, seek, whole) {
  const best = [...found.passages].sort((one, other) => other.points - one.points).slice(0, MOST_MOMENTS);
  const isWhole = best.length === 1 && best[0].start_s === 0; // no moment is better than others
  const shown = isWhole ? [] : best;
  const samples = whole ? found.n_windows : 0;
  if (!shown.length && !samples) return null;
  const lists = [
    playsFrom(shown.filter((one) => one.points >= 0), "to your taste", seek),
    playsFrom(shown.filter((one) => one.points < 0), "less to your taste", seek),
  ];
  return part("Moments", ...lists.flat(), ...(samples ? heardSoFar(samples, shown.length, whole) : []));
}

/** Buttons that play from some moments; what is less to one's taste is told apart in words. */
function playsFrom(some, way, seek) {
  if (!some.length) return [];
  const items = some.map((one) => {
    const name = `Play from ${clock(one.start_s)}: ${way}`;
    const look = { type: "button", class: "chip", "aria-label": name, onclick: () => seek(one.start_s) };
    return h("li", {}, h("button", look, icon("play"), clock(one.start_s)));
  });
  const less = h("p", { class: "small muted", "aria-hidden": "true" }, "Less to your taste:");
  return [...(some[0].points < 0 ? [less] : []), h("ul", { class: "moments" }, ...items)];
}

function heardSoFar(n, n_shown, whole) {
  const heard = n === 1 ? "Only one moment of it was heard." : `Of the ${n} moments that were heard, ${n_shown ? "these stand" : "none stands"} out.`;
  const look = { type: "button", class: "button quiet small-button hear-whole", onclick: whole };
  return [h("p", { class: "small muted" }, heard), h("button", look, "Hear the whole song")];
}

/** A bar that grows to the right for what raises the score and to the left for what lowers it. */
function diverging(value, most) {
  const bar = h("span", { class: value < 0 ? "down" : "up" });
  bar.style.width = `${(50 * Math.min(1, Math.abs(value) / most)).toFixed(1)}%`;
  return h("span", { class: "diverging", "aria-hidden": "true" }, bar);
}

/** What fills half a bar: the same in every part of the panel. */
function scaleOf(found) {
  const all = [...(found.tags?.tags ?? []), ...found.passages].map((one) => Math.abs(one.points));
  return Math.max(LEAST_SCALE, ...all);
}

function sound(found) {
  const { tags } = found;
  if (!tags || tags.r2 < TELLING_R2) return null;
  const most = scaleOf(found);
  const heard = tags.tags.filter((one) => Math.max(one.song, one.usual) >= HEARD);
  const told = heard.slice(0, MOST_TAGS).filter((one) => Math.abs(one.points) >= LEAST);
  if (!told.length) return null;
  const items = told.map((one) =>
    h(
      "li",
      {},
      h("span", { class: "tag-name" }, `${one.song > one.usual ? "" : "less "}${one.tag.toLowerCase()}`),
      diverging(one.points, most),
      h("span", { class: "sr" }, wayOf(one)),
    ),
  );
  const legend = h(
    "p",
    { class: "small muted", "aria-hidden": "true" },
    "To the right: speaks for it. To the left: against it.",
  );
  return part("Sound", h("ul", { class: "rows-of-bars" }, ...items), legend);
}

function wayOf(one) {
  const more = one.song > one.usual ? "more than usual" : "less than usual";
  return `${more}, ${one.points < 0 ? "speaks against it" : "speaks for it"}`;
}

/** The figures, for who asks how the guess came about. */
function figures(found, place) {
  const lines = [place, scored(found), heardFigures(found), way(found), strange(found), share(found)].filter(Boolean);
  return h(
    "details",
    { class: "part how" },
    h("summary", {}, "How do you know?"),
    ...lines.map((words) => h("p", { class: "small muted" }, words)),
  );
}

function scored(found) {
  const [low, high] = found.unsure;
  const learnt = `${found.n_like} liked and ${found.n_dislike} other songs that you labelled`;
  return `Its score is ${score(found.score)} of 1, learnt from ${learnt}. From ${score(high)} on a song is likely, up to ${score(low)} unlikely.`;
}

/** That the match is another one now that all of the song was heard; null where it is not. */
export function heardPart(found) {
  if (!hasMoved(found)) return null;
  const [before, now] = [found.scanned_score, found.score];
  const steps = [before, now].map((value) => matchOf({ score: value }));
  const way = now > before ? "better" : "less well";
  const much = steps[0] === steps[1] ? "a little " : "";
  const from = steps[0] === steps[1] ? "" : `: ${steps[1]} of 5, where short samples of it had ${steps[0]}`;
  const words = `Now that all of it was heard, it matches ${much}${way}${from}.`;
  return h("p", { class: "small heard-whole" }, words);
}

function hasMoved({ scanned_score: before, score: now }) {
  return before !== null && before !== undefined && score(before) !== score(now);
}

function heardFigures(found) {
  if (!hasMoved(found)) return "";
  const before = found.scanned_score;
  const n = found.scanned_windows;
  const scan = `It had ${score(before)} from ${n} short ${n === 1 ? "sample" : "samples"}`;
  return `${scan}, and has ${score(found.score)} now that all of it was heard.`;
}

/** How the points lead from a song on the fence to this one's score. */
function way(found) {
  const from = `A song half-way between what you like and the rest has ${score(found.start_score)}.`;
  if (!found.passages.length) return from;
  const sum = (values) => values.reduce((all, one) => all + one, 0);
  const told = sum(found.passages.map((one) => one.points));
  const named = found.passages.map((one) => `${clock(one.start_s)} (${points(one.points)})`);
  return `${from} The moments ${listed(named, 5)} and the rest of it (${points(sum(found.points) - told)}) make the difference.`;
}

function strange(found) {
  if (found.unfamiliar >= -LEAST) return "";
  return `It is unlike anything that you have labelled, and is held down for that (${points(found.unfamiliar)}).`;
}

function share(found) {
  if (!found.tags)
    return "Its encoder has no words for sounds, or there are fewer than 20 songs to weigh them.";
  return `Words for sounds tell ${Math.round(100 * found.tags.r2)}% of what this taste decides.`;
}

function resembles(found, seek) {
  const items = [];
  for (const [one, words] of [
    [found.like, "which you like"],
    [found.dislike, "which is not for you"],
  ]) {
    if (!one) continue;
    const verb = one.similarity >= ALIKE ? "sounds like" : "comes nearest to";
    const name = one.title
      ? [bdi(one.title), one.artist ? [" by ", bdi(one.artist)] : null]
      : [bdi(nameOnly(one).name)];
    const other = h("span", {}, ...name.flat().filter(Boolean));
    const target = one.id ? h("a", { href: `#song=${one.id}` }, other) : other;
    const text = h("span", {}, ` ${verb} ${clock(one.other_at_s)} of `, target, `, ${words}.`);
    items.push(h("li", {}, playAt(one.at_s, seek), text));
  }
  return items.length ? part("Resembles", h("ul", { class: "resembles" }, ...items)) : null;
}

function playAt(at_s, seek) {
  const words = clock(at_s);
  const press = () => seek(at_s);
  return h(
    "button",
    { type: "button", class: "chip", "aria-label": `Play from ${words}`, onclick: press },
    words,
  );
}

function fileOf(path) {
  return path.split(/[\\/]/).pop() || path;
}

/** Songs that sound alike, as links. */
export function neighbourPart(neighbours) {
  if (!neighbours.length) return null;
  const items = neighbours
    .slice(0, MOST_ALIKE)
    .map(({ song }) =>
      h(
        "li",
        {},
        h(
          "a",
          { href: `#song=${song.id}` },
          bdi(titleOf(song), { class: "title" }),
          song.artist ? bdi(song.artist, { class: "artist" }) : null,
        ),
      ),
    );
  return part("More like this", h("ul", { class: "neighbours" }, ...items));
}
