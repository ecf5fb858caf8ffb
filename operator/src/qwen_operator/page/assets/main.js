// Puts the page together: the feed, the summary, the list, and the model that the address names.

import { say } from "./dom.js";
import { Fleet } from "./feed.js";
import { counted } from "./format.js";
import { List, STATE_WORDS } from "./list.js";
import { Model } from "./model.js";
import { Summary } from "./summary.js";

const MOST_TOLD = 3;
const $ = (id) => document.getElementById(id);

/** Which model and which of its views the address names. */
function place() {
  const [, namespace, name, view = ""] = location.hash.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return namespace && name ? { key: `${namespace}/${name}`, namespace, name, view } : null;
}

function setTheme(chosen) {
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
}

function keepTheme(menu) {
  let kept = "";
  try {
    kept = localStorage.getItem("theme") ?? "";
  } catch {
    // a browser that keeps nothing
  }
  menu.value = ["light", "dark"].includes(kept) ? kept : "";
  setTheme(menu.value);
  menu.addEventListener("change", () => {
    setTheme(menu.value);
    try {
      localStorage.setItem("theme", menu.value);
    } catch {
      // as above
    }
  });
}

const fleet = new Fleet();
const list = new List(fleet, {
  tools: $("tools"), search: $("search"), namespace: $("namespace"), order: $("order"), states: $("states"),
  count: $("count"), list: $("list"), empty: $("empty"), open: () => place()?.key,
});
const summary = new Summary(fleet, $("summary"));
const model = new Model(fleet, $("model"));

function route() {
  const chosen = place();
  $("panes").classList.toggle("open", chosen !== null);
  document.title = chosen ? `${chosen.name} · Qwen fleet` : "Qwen fleet";
  const before = model.key;
  model.open(chosen);
  list.show();
  if (!chosen && before) [...$("list").querySelectorAll("a.name")].find((each) => each.hash === model.left)?.focus();
}

function tell(moved) {
  if (!moved.length) return;
  const some = moved.slice(0, MOST_TOLD).map((row) => `${row.name}: ${STATE_WORDS[row.state]}, ${row.reason}`);
  const more = moved.length > MOST_TOLD ? `; ${counted(moved.length - MOST_TOLD, "more model")} changed` : "";
  say($("news"), some.join("; ") + more);
}

fleet.addEventListener("change", (event) => {
  const { version, namespaces } = fleet.about ?? { namespaces: [] };
  say($("about"), `operator ${version} · ${namespaces.length ? namespaces.join(", ") : "all namespaces"}`);
  summary.show();
  list.show();
  model.show();
  tell(event.detail.moved);
});
fleet.addEventListener("connection", () => {
  $("connection").dataset.state = fleet.state;
  say($("connection"), fleet.words);
});

keepTheme($("theme"));
addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && place()) location.hash = "";
});
route();
fleet.connect();
