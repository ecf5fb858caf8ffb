// The list of models: found, filtered, ordered; one element a model, changed only where it differs.

import { arrange, badge, el, say, shares } from "./dom.js";
import { amount, counted, duration, number, percent, since } from "./format.js";

export const STATES = ["trouble", "starting", "serving", "off"];
export const STATE_WORDS = {
  trouble: "Needs attention", starting: "Starting", serving: "Serving", off: "Off",
};
const PHASES = {
  scheduling: "Finding a node", pulling: "Getting image and volumes", starting: "Starting vLLM",
  downloading: "Downloading the weights", loading: "Loading the model", opening: "Opening its ports",
};
const RESORT_MS = 6000;
const FULL = 0.95; // as the alert has it

const ORDERS = {
  state: (a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || byName(a, b),
  name: (a, b) => byName(a, b),
  out: (a, b) => (b.load?.out ?? -1) - (a.load?.out ?? -1) || byName(a, b),
  since: (a, b) => String(b.since ?? "").localeCompare(String(a.since ?? "")) || byName(a, b),
};

function byName(a, b) {
  return a.namespace.localeCompare(b.namespace) || a.name.localeCompare(b.name);
}

export function link(row, view = "") {
  const place = `#/${encodeURIComponent(row.namespace)}/${encodeURIComponent(row.name)}`;
  return view ? `${place}/${view}` : place;
}

function cell(kind, label) {
  const value = el("span");
  return { value, node: el("div", { class: `cell ${kind}` }, value, el("small", {}, label)) };
}

/** One model's line; `show` brings it up to date. */
class Line {
  constructor(row) {
    this.name = el("a", { class: "name", href: link(row) });
    this.place = el("span", { class: "from" });
    this.mark = el("span");
    this.from = el("div", { class: "from" });
    this.words = el("div", { class: "words" });
    this.ready = cell("ready", "pods ready");
    this.cache = cell("cache", "KV cache");
    this.speed = cell("speed", "tokens/s out");
    this.node = el(
      "li",
      { class: "line" },
      el("div", { class: "who" }, el("div", { class: "head" }, this.name, this.place, this.mark), this.from),
      this.words,
      this.ready.node,
      this.cache.node,
      this.speed.node,
    );
  }

  show(row, now, open) {
    if (open) this.name.setAttribute("aria-current", "true");
    else this.name.removeAttribute("aria-current");
    const words = lineWords(row, now);
    if (this.row === row && this.said === words) return;
    this.said = words;
    say(this.words.firstChild ?? this.words.appendChild(el("div")), words);
    if (this.row === row) return;
    this.row = row;
    this.node.dataset.state = row.state;
    say(this.name, row.name);
    say(this.place, row.namespace);
    say(this.from, row.gpus ? `${row.source} · ${counted(row.gpus, "GPU")}` : row.source);
    this.mark.replaceChildren(badge(row.state, row.reason));
    say(this.ready.value, `${row.ready}/${row.wanted}`);
    const load = row.load ?? {};
    for (const each of [this.cache, this.speed]) each.node.classList.toggle("none", !row.load);
    this.cache.value.replaceChildren(
      percent(load.cache),
      ...(typeof load.cache === "number"
        ? [shares([[load.cache < FULL ? "fill-accent" : "fill-trouble", load.cache], ["fill-ground", 1 - load.cache]], { class: "bar" })]
        : []),
    );
    const waiting = load.waiting ? `, ${number(load.waiting)} waiting` : "";
    say(this.speed.value, number(load.out));
    say(this.speed.node.lastChild, row.load ? `tokens/s, ${number(load.running)} running${waiting}` : "tokens/s out");
    const rest = this.words.children[1];
    if (rest) rest.remove();
    if (row.state === "trouble" && row.remedy)
      this.words.append(el("div", { class: "todo" }, `→ ${row.remedy}`));
  }
}

function lineWords(row, now) {
  if (row.state !== "starting") return row.message;
  const waited = since(row.phase?.since, now);
  if (!row.phase || waited === null) return row.message;
  const here = typeof row.phase.bytes === "number" ? `, ${amount(row.phase.bytes, row.phase.total)}` : "";
  return `${PHASES[row.phase.name]} for ${duration(waited)}${here}`;
}

/** The list with its tools. */
export class List {
  #lines = new Map();
  #order = [];
  #sorted = 0;
  #asked = "";

  constructor(fleet, page) {
    this.fleet = fleet;
    this.page = page;
    this.state = "";
    this.buttons = new Map();
    for (const state of STATES) {
      const amount = el("span", { class: "number" });
      const press = () => this.#only(this.state === state ? "" : state);
      const button = el("button", { type: "button", "aria-pressed": "false", click: press }, STATE_WORDS[state], amount);
      this.buttons.set(state, { button, amount });
      page.states.append(button);
    }
    page.tools.addEventListener("input", () => this.show());
    page.tools.addEventListener("submit", (event) => event.preventDefault());
  }

  #only(state) {
    this.state = state;
    for (const [each, { button }] of this.buttons) button.setAttribute("aria-pressed", String(each === state));
    this.show();
  }

  #chosen() {
    const words = this.page.search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const namespace = this.page.namespace.value;
    return (row) =>
      (!namespace || row.namespace === namespace) &&
      (!this.state || row.state === this.state) &&
      words.every((word) =>
        `${row.namespace}/${row.name} ${row.served} ${row.source} ${row.reason}`.toLowerCase().includes(word));
  }

  /** Order anew when asked otherwise, when models come or go, and else only now and then. */
  #ordered() {
    const rows = this.fleet.rows;
    const asked = this.page.order.value;
    const same = this.#order.length === rows.size && this.#order.every((key) => rows.has(key));
    if (!same || asked !== this.#asked || performance.now() - this.#sorted > RESORT_MS) {
      this.#order = [...rows.entries()].sort(([, a], [, b]) => ORDERS[asked](a, b)).map(([key]) => key);
      this.#sorted = performance.now();
      this.#asked = asked;
    }
    return this.#order;
  }

  #namespaces() {
    const names = [...new Set([...this.fleet.rows.values()].map((row) => row.namespace))].sort();
    const menu = this.page.namespace;
    const shown = [...menu.options].slice(1).map((each) => each.value);
    if (shown.join("\n") === names.join("\n")) return;
    const chosen = menu.value;
    menu.replaceChildren(menu.options[0], ...names.map((name) => el("option", { value: name }, name)));
    menu.value = names.includes(chosen) ? chosen : "";
  }

  /** Bring everything up to date. */
  show() {
    const { rows, now } = this.fleet;
    this.#namespaces();
    const wanted = this.#chosen();
    const nodes = [];
    for (const key of this.#ordered()) {
      const row = rows.get(key);
      if (!wanted(row)) continue;
      if (!this.#lines.has(key)) this.#lines.set(key, new Line(row));
      const line = this.#lines.get(key);
      line.show(row, now, key === this.page.open());
      nodes.push(line.node);
    }
    for (const key of this.#lines.keys()) if (!rows.has(key)) this.#lines.delete(key);
    arrange(this.page.list, nodes);
    for (const [state, { amount }] of this.buttons)
      say(amount, String([...rows.values()].filter((row) => row.state === state).length));
    const some = nodes.length === rows.size ? counted(rows.size, "model") : `${nodes.length} of ${counted(rows.size, "model")}`;
    say(this.page.count, this.fleet.about && rows.size ? some : "");
    this.#tellNone(nodes.length);
  }

  #tellNone(shown) {
    const { empty } = this.page;
    empty.hidden = shown > 0 || !this.fleet.about;
    if (empty.hidden) return;
    const none = this.fleet.rows.size === 0;
    if (empty.dataset.none === String(none)) return;
    empty.dataset.none = String(none);
    if (none)
      empty.replaceChildren(
        el("h2", {}, "No models yet"),
        el("p", {}, "Apply a QwenDeployment and it appears here."),
        el("pre", { tabindex: "0" }, "qwenctl init Qwen/Qwen3-8B --gpu L4 > my-qwen.yaml\nkubectl apply -f my-qwen.yaml"),
      );
    else empty.replaceChildren(el("h2", {}, "Nothing found"), el("p", {}, "No model is like that. Search for less."));
  }
}
