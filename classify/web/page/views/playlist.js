// Keeps finds, or what the library lists, as a playlist: how many, how sure, how many an artist, only what is new;
// as a file whose paths suit where it goes, or on the music server that the service was started with.

import { ask, askJson } from "../base/api.js";
import { say, sayError } from "../base/announce.js";
import { byId, h, settings } from "../base/dom.js";
import { currentTaste, on, state } from "../base/state.js";
import { inline, songs, verdictWord } from "../base/words.js";

const dialog = byId("playlist-dialog");
const form = dialog.querySelector("form");
const KEPT_MS = 60_000; // a browser may ask where to put a file
const SURE = 0.9;

const many = number("playlist-top", 10000, "all");
const artist = number("playlist-artist", 100, "any number");
const which = choice("playlist-sure", [
  ["like", "Likely songs"],
  ["sure", "The surest: you would like 9 in 10"],
  ["unsure", "Likely and unsure songs"],
]);
const fresh = choice("playlist-new", [
  ["", "Not labelled yet"],
  ["new", "Nor in playlists kept before"],
  ["labelled", "With what you like already"],
]);
const to = choice("playlist-to", []);
const kind = choice("playlist-kind", [
  ["m3u8", "M3U8 (most players)"],
  ["xspf", "XSPF"],
  ["pls", "PLS"],
]);
const paths = choice("playlist-paths", [
  ["absolute", "As on this computer"],
  ["relative", "From your music folder"],
  ["mapped", "As on another computer"],
]);
const base = h("input", {
  id: "playlist-base",
  class: "input",
  maxlength: 1000,
  autocomplete: "off",
  spellcheck: false,
  placeholder: "M:\\Music",
});
const title = h("input", { id: "playlist-name", class: "input", maxlength: 100, value: "Seven Songs" });
const fields = {
  which: field("Which", which),
  fresh: field("Songs", fresh),
  many: field("How many", many),
  artist: field("At most of one artist", artist),
  to: field("Save", to),
  kind: field("Kind of file", kind),
  paths: field("Paths", paths),
  base: field("Its music folder", base),
  title: field("Name", title),
};
/** @type {string | null} the music server, if one is connected */
let server = null;

export function startPlaylist() {
  byId("playlist-fields").append(...Object.values(fields));
  for (const one of [to, paths]) one.addEventListener("change", suit);
  paths.value = settings.get("playlist-paths") ?? "absolute";
  base.value = settings.get("playlist-base") ?? "";
  on("ready", async () => {
    const found = await askJson("/playlist-server").catch(() => null);
    server = found?.server ?? null;
  });
  // Songs like one, or with more of a tag, are a list of another kind.
  on("list", () => (byId("save-listed").hidden = Boolean(state.query.like) || !state.total));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
  byId("save-listed").addEventListener("click", openPlaylist);
}

function number(id, max, placeholder) {
  return h("input", { type: "number", class: "input", min: 1, max, placeholder, id });
}

function choice(id, options) {
  const select = h("select", { id, class: "select" });
  offer(select, options);
  return select;
}

function offer(select, options) {
  select.replaceChildren(...options.map(([value, words]) => h("option", { value }, words)));
}

function field(words, control) {
  return h("label", { class: "field" }, h("span", {}, words), control);
}

/** Ask how the playlist shall be. What is searched for, and filtered in the library, is taken over. */
export function openPlaylist() {
  byId("playlist-words").textContent = words();
  offer(to, [["file", "As a file"], ...(server ? [["server", `To ${inline(server)}`]] : [])]);
  if (server) to.value = settings.get("playlist-to") ?? "file";
  suit();
  dialog.showModal();
}

/** The library's list has filters of its own. */
function isListed() {
  return state.view === "library";
}

function words() {
  const { q, label, verdict } = state.query;
  const match = q ? ` that match “${inline(q)}”` : "";
  if (!isListed()) return q ? `The finds${match}, best first.` : "What you are likely to like, best first.";
  const labels = { none: "not labelled", like: "liked", dislike: "not for you" };
  const kept = [labels[label], verdictWord(verdict).toLowerCase()].filter(Boolean).join(", ");
  return `The songs of the list${match}${kept ? ` (${kept})` : ""}, best first.`;
}

/** Show the fields that the others leave open. */
function suit() {
  const file = to.value !== "server";
  fields.to.hidden = !server;
  fields.which.hidden = fields.fresh.hidden = isListed();
  fields.kind.hidden = fields.paths.hidden = !file;
  fields.base.hidden = !file || paths.value !== "mapped";
  base.required = !fields.base.hidden;
  fields.title.hidden = file;
  title.required = !file;
}

function wanted() {
  const { q, label, verdict } = state.query;
  const shared = { taste: state.taste, top: many.value, per_artist: artist.value };
  if (isListed()) {
    return { ...shared, q, verdict, label, labelled: label !== "none", min_score: verdict ? "" : 0 };
  }
  return {
    ...shared,
    // Liked songs are likely, too; what is unsure begins where the taste says so.
    verdict: which.value === "like" ? "like" : "",
    precision: which.value === "sure" ? SURE : "",
    min_score: which.value === "unsure" ? currentTaste()?.unsure?.[0] : "",
    labelled: fresh.value === "labelled" || "",
    new_only: fresh.value === "new" || "",
    q: state.view === "discover" ? q : "",
  };
}

async function save() {
  settings.set("playlist-paths", paths.value);
  settings.set("playlist-base", base.value);
  settings.set("playlist-to", to.value);
  try {
    say(to.value === "server" ? await push() : await download());
  } catch (error) {
    sayError(error);
  } finally {
    dialog.close();
  }
}

async function push() {
  const init = { method: "POST", params: wanted(), body: { name: title.value.trim() } };
  const done = await askJson("/playlist-server/playlist", init);
  const missing = done.n_missing ? `; ${songs(done.n_missing)} are not surely there` : "";
  return `${inline(done.name)} has ${songs(done.n_songs)} on the server${missing}.`;
}

async function download() {
  const where = { paths: paths.value, base: paths.value === "mapped" ? base.value : "" };
  const answer = await ask(`/playlist.${kind.value}`, { params: { ...wanted(), ...where } });
  const link = h("a", {
    href: URL.createObjectURL(await answer.blob()),
    download: `${state.taste}.${kind.value}`,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
  return "The playlist is saved.";
}
