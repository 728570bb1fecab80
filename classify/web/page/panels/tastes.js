// The taste in use: which, how good it is, how many likes are missing to begin; choosing another, naming a
// new one.

import { address, ask, askJson } from "../base/api.js";
import { sayError } from "../base/announce.js";
import { byId, h, settings } from "../base/dom.js";
import { currentTaste, emit, on, state } from "../base/state.js";

const chosen = byId("taste");
const dialog = byId("new-taste");
const name = byId("new-taste-name");
const evaluation = byId("evaluation");
const evaluate = byId("evaluate");
const ABOUT = 7;
const KEPT_MS = 60_000; // a browser may ask where to put a file

export function startTastes() {
  byId("seven").append(...Array.from({ length: ABOUT }, () => h("span")));
  chosen.addEventListener("change", () => use(chosen.value));
  byId("taste-new").addEventListener("click", () => {
    name.value = "";
    name.setCustomValidity("");
    dialog.showModal();
  });
  name.addEventListener("input", () => name.setCustomValidity(""));
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    create(name.value.trim());
  });
  evaluate.addEventListener("click", test);
  byId("playlist").addEventListener("click", download);
  on("figures", take);
}

/** Read the tastes there are, and begin with the one used last. */
export async function loadTastes() {
  const found = await askJson("/tastes");
  state.tastes = found.tastes;
  const wanted = state.taste ?? settings.get("taste");
  const known = state.tastes.some((one) => one.name === wanted);
  state.taste = known ? wanted : (state.health?.taste ?? state.tastes[0]?.name ?? "default");
  show();
}

/** Use a taste by its name. */
export function use(taste) {
  if (taste === state.taste) return;
  state.taste = taste;
  settings.set("taste", taste);
  evaluation.replaceChildren();
  show();
  emit("taste", taste);
}

function take(taste) {
  if (!taste) return;
  const at = state.tastes.findIndex((one) => one.name === taste.name);
  if (at < 0) state.tastes.push(taste);
  else state.tastes[at] = taste;
  evaluation.replaceChildren();
  show();
}

function create(wanted) {
  if (state.tastes.some((one) => one.name === wanted)) {
    name.setCustomValidity("There is a taste of this name already.");
    name.reportValidity();
    return;
  }
  // Nothing is stored before its first label.
  const fresh = {
    name: wanted,
    trained: false,
    n_like: 0,
    n_dislike: 0,
    auc: null,
    auc_ci90: null,
    sentence: "",
  };
  state.tastes.push(fresh);
  dialog.close();
  use(wanted);
}

function show() {
  const names = state.tastes.map((one) => one.name);
  if (state.taste && !names.includes(state.taste)) names.push(state.taste);
  chosen.replaceChildren(...names.map((one) => h("option", { value: one }, one)));
  chosen.value = state.taste ?? "";
  const taste = currentTaste();
  const trained = Boolean(taste?.trained);
  byId("first-run").hidden = trained || !taste;
  byId("trained").hidden = !trained;
  byId("playlist").href = address("/playlist.m3u8", { taste: state.taste });
  byId("playlist").toggleAttribute("hidden", !trained);
  if (!taste) return;
  if (trained) showTrained(taste);
  else showFirst(taste);
}

/** Fetch the playlist and hand it to the browser; where no song is likely, that is said instead. */
async function download(event) {
  event.preventDefault();
  try {
    const answer = await ask("/playlist.m3u8", { params: { taste: state.taste } });
    const link = h("a", { href: URL.createObjectURL(await answer.blob()), download: `${state.taste}.m3u8` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
  } catch (error) {
    sayError(error);
  }
}

function showTrained(taste) {
  const meter = byId("accuracy");
  meter.hidden = taste.auc === null;
  if (taste.auc !== null) {
    const [low, high] = taste.auc_ci90 ?? [taste.auc, taste.auc];
    meter.setAttribute("aria-valuenow", String(Math.round(taste.auc * 100)));
    meter.setAttribute("aria-valuetext", taste.sentence);
    const band = meter.querySelector(".accuracy-band");
    band.style.left = `${100 * low}%`;
    band.style.width = `${100 * Math.max(0.01, high - low)}%`;
    meter.querySelector(".accuracy-dot").style.left = `${100 * taste.auc}%`;
  }
  byId("accuracy-sentence").textContent = taste.sentence;
  byId("taste-labels").textContent = `Learnt from ${counted(taste)}.`;
}

function counted(taste) {
  const likes = `${taste.n_like} ${taste.n_like === 1 ? "like" : "likes"}`;
  return `${likes} and ${taste.n_dislike} ${taste.n_dislike === 1 ? "dislike" : "dislikes"}`;
}

function showFirst(taste) {
  const n = Math.min(ABOUT, taste.n_like);
  [...byId("seven").children].forEach((bar, i) => bar.classList.toggle("on", i < n));
  const more = ABOUT - n;
  const rest = more ? `${more} more to go` : "enough to begin";
  const hint = "Two give a first guess, seven a taste. A few dislikes help, too.";
  byId("first-run-count").textContent = `${n} of ${ABOUT}: ${rest}. ${hint}`;
}

async function test() {
  evaluate.disabled = true;
  evaluation.replaceChildren(
    h("p", { class: "working" }, "Dealing out likes at random, to see what chance can do …"),
  );
  const taste = state.taste;
  try {
    const found = await askJson(`/tastes/${encodeURIComponent(taste)}/evaluation`);
    if (taste !== state.taste) return;
    evaluation.replaceChildren(
      found.headline ? h("p", {}, h("strong", {}, found.headline)) : "",
      ...[found.chance ?? "", found.verdict, found.truth].filter(Boolean).map((words) => h("p", {}, words)),
    );
  } catch (error) {
    evaluation.replaceChildren();
    sayError(error);
  } finally {
    evaluate.disabled = false;
  }
}
