// Likes of many songs at once: what a playlist names, or what lies in a folder of the library.

import { ask, askJson } from "../base/api.js";
import { sayError } from "../base/announce.js";
import { byId, h } from "../base/dom.js";
import { state } from "../base/state.js";
import { told } from "../songs/labelling.js";
import { count, inline, songs } from "../base/words.js";

const dialog = byId("likes-dialog");
const form = dialog.querySelector("form");
const folders = byId("likes-folder");
const file = h("input", {
  type: "file",
  hidden: true,
  "aria-label": "A playlist of songs that you like",
  accept: ".m3u,.m3u8,.pls,.xspf,.csv,.txt",
});

export function startLikes() {
  document.body.append(file);
  file.addEventListener("change", () => file.files[0] && likeList(file.files[0]));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    likeFolder(folders.selectedOptions[0]);
  });
}

/** Ask for a playlist, and like what it names. */
export function askList() {
  file.click();
}

/** Ask for a folder of the library, and like its songs. */
export async function askFolder() {
  try {
    const found = await askJson("/library/song-folders");
    const options = found.folders.map(({ path, name, n_songs: n }) =>
      h("option", { value: path, dataset: { name } }, `${inline(name)}: ${songs(n)}`),
    );
    folders.replaceChildren(...options);
    folders.disabled = form.querySelector("[type=submit]").disabled = !options.length;
    byId("likes-words").textContent = options.length
      ? "All of its songs are liked at once. Undo takes them back."
      : "All of your music lies in one folder. Folders in it, one for each artist or album, can be liked.";
    dialog.showModal();
  } catch (error) {
    sayError(error);
  }
}

async function likeList(given) {
  const kind = given.name.split(".").pop().toLowerCase();
  const init = { method: "POST", params: { kind }, file: given };
  await like("/import", init, inline(given.name));
  file.value = "";
}

async function likeFolder(option) {
  dialog.close();
  await like("/import-folder", { method: "POST", body: { path: option.value } }, inline(option.dataset.name));
}

async function like(where, init, name) {
  const { taste } = state;
  try {
    const answer = await (await ask(`/tastes/${encodeURIComponent(taste)}${where}`, init)).json();
    const missing = answer.n_missing ? `; ${count(answer.n_missing)} are not in your library` : "";
    told(answer, taste, () => `Liked ${songs(answer.n_new)} of ${name}${missing}`);
  } catch (error) {
    sayError(error);
  }
}
