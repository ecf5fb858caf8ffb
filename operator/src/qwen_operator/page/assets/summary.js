// The figures on top: how the fleet is, at a glance.

import { el, say, shares, sparkline } from "./dom.js";
import { counted, number } from "./format.js";
import { STATES, STATE_WORDS } from "./list.js";

function tile(title) {
  const figure = el("p", { class: "figure" });
  const note = el("p", { class: "note" });
  const node = el("div", { class: "tile" }, el("h2", {}, title), figure, note);
  return { node, figure, note };
}

function told(state, count) {
  const words = state === "trouble" && count > 1 ? "need attention" : STATE_WORDS[state].toLowerCase();
  return `${count} ${words}`;
}

/** Four tiles. */
export class Summary {
  constructor(fleet, place) {
    this.fleet = fleet;
    this.models = tile("Models serving");
    this.bar = el("div", { class: "shares" });
    this.models.note.before(this.bar);
    this.speed = tile("Tokens a second");
    this.spark = el("div");
    this.speed.node.append(this.spark);
    this.requests = tile("Requests");
    this.gpus = tile("GPUs in pods");
    place.append(...[this.models, this.speed, this.requests, this.gpus].map((each) => each.node));
  }

  show() {
    const rows = [...this.fleet.rows.values()];
    const counts = Object.fromEntries(STATES.map((state) => [state, rows.filter((row) => row.state === state).length]));
    const loads = rows.map((row) => row.load).filter(Boolean);
    const sum = (name) => loads.reduce((whole, load) => whole + (load[name] ?? 0), 0);

    this.models.figure.replaceChildren(String(counts.serving), el("small", {}, ` of ${rows.length}`));
    this.bar.replaceChildren(shares(["serving", "starting", "trouble", "off"].map((state) => [`fill-${state}`, counts[state]])));
    const others = STATES.filter((state) => state !== "serving" && counts[state]);
    say(this.models.note, others.map((state) => told(state, counts[state])).join(", ") || (rows.length ? "All are well" : "–"));

    this.speed.figure.replaceChildren(number(loads.length ? sum("out") : null), el("small", {}, " out"));
    say(this.speed.note, `${number(loads.length ? sum("in") : null)} in`);
    this.spark.replaceChildren(sparkline(this.fleet.history));

    this.requests.figure.replaceChildren(number(loads.length ? sum("running") : null), el("small", {}, " running"));
    say(this.requests.note, `${number(loads.length ? sum("waiting") : null)} waiting`);

    const gpus = rows.reduce((whole, row) => whole + row.gpus, 0);
    say(this.gpus.figure, number(gpus));
    say(this.gpus.note, `in ${counted(rows.filter((row) => row.gpus > 0).length, "model")}`);
  }
}
