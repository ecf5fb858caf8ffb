// The open model: what is the case and what to do, load, start, pods, conditions; and the chat.

import { badge, copyable, el, say, shares } from "./dom.js";
import { Chat } from "./chat.js";
import { amount, duration, number, percent, since } from "./format.js";
import { link } from "./list.js";

const LOOK_MS = 2000;
const STEPS = {
  scheduling: "Node", pulling: "Image and volumes", starting: "Starting vLLM", downloading: "Download",
  loading: "Loading", opening: "Opening ports",
};

function part(title, ...children) {
  return el("section", { class: "part" }, el("h3", {}, title), ...children);
}

function facts(pairs) {
  return el("dl", { class: "facts" }, ...pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** How long each phase of a start took, or has taken so far: [words, seconds, is it now]. */
export function phases(steps, now) {
  const ages = steps.map((step) => since(step.since, now) ?? 0);
  return steps.map((step, place) => {
    const going = place === steps.length - 1;
    // Clocks of nodes differ: a phase that would end before it began took no time.
    const here = typeof step.bytes === "number" ? ` (${amount(step.bytes, step.total)})` : "";
    return [STEPS[step.name] + here, Math.max(0, ages[place] - (going ? 0 : ages[place + 1])), going];
  });
}

function phaseBar(parts) {
  return el(
    "div",
    { class: "phases" },
    shares(parts.map(([, seconds], place) => [`phase-fill-${place}`, Math.max(seconds, 0.4)])),
    el("ul", {}, ...parts.map(([words, seconds, going], place) =>
      el("li", { class: `phase-${place}${going ? " now" : ""}` }, `${words} ${duration(seconds)}${going ? "…" : ""}`))),
  );
}

function podPart(pod, now) {
  const parts = pod.readySince ? [] : phases(pod.steps, now);
  const more = [
    pod.node ? `on ${pod.node}` : null,
    pod.restarts ? `${pod.restarts} restarts` : null,
    pod.ended ? `last ended: ${pod.ended.reason}, code ${pod.ended.code}` : null,
    pod.load ? `${number(pod.load.running)} running, ${number(pod.load.waiting)} waiting, ${number(pod.load.out)} tokens/s` : null,
  ].filter(Boolean);
  return el(
    "li",
    { class: "pod" },
    el("div", { class: "name" }, pod.name),
    el("p", {}, pod.words),
    more.length ? el("p", {}, more.join(" · ")) : null,
    parts.length ? phaseBar(parts) : null,
  );
}

/** The pane of one model. */
export class Model {
  key = null;
  left = "";
  #chats = new Map();
  #timer = 0;
  #aborted = null;

  constructor(fleet, pane) {
    this.fleet = fleet;
    this.pane = pane;
  }

  /** Open what the address names, or close. */
  open(chosen) {
    this.chosen = chosen;
    this.pane.hidden = chosen === null;
    clearTimeout(this.#timer);
    this.#aborted?.abort();
    if (!chosen) {
      this.key = null;
      return;
    }
    this.left = link(chosen);
    if (this.key !== chosen.key) {
      this.key = chosen.key;
      this.told = null;
      this.#frame();
      this.title.focus({ preventScroll: false });
    }
    this.show();
    this.#look();
  }

  #frame() {
    this.title = el("h2", { tabindex: "-1" }, this.chosen.name);
    this.sub = el("p", { class: "sub" });
    this.now = el("div", { class: "now" });
    this.views = el("nav", { class: "views", "aria-label": "Views of this model" });
    this.body = el("div");
    this.shown = "";
    this.pane.replaceChildren(
      el("header", {}, this.title, el("a", { class: "close", href: "#", "aria-label": "Close this model" }, "Close"), this.sub, this.now),
      this.views,
      this.body,
    );
  }

  async #look() {
    const { namespace, name, key } = this.chosen;
    this.#aborted = new AbortController();
    try {
      const answer = await fetch(`api/models/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`, { signal: this.#aborted.signal });
      if (this.key !== key) return;
      if (answer.ok || answer.status === 404) this.told = answer.ok ? await answer.json() : { gone: true };
      this.show();
    } catch {
      // no answer: the feed says so
    }
    if (this.key === key) this.#timer = setTimeout(() => this.#look(), LOOK_MS);
  }

  /** Bring the pane up to date. */
  show() {
    if (!this.key || !this.told) return;
    if (this.told.gone) {
      this.now.replaceChildren();
      this.views.replaceChildren();
      this.body.replaceChildren(el("p", { class: "hint" }, "There is no such model any more."));
      this.shown = "gone";
      return;
    }
    const told = this.told;
    say(this.sub, `${told.namespace} · ${told.source}${told.served === told.name ? "" : ` · served as ${told.served}`}`);
    const lasted = since(told.since, this.fleet.now);
    const state = JSON.stringify([told.state, told.reason]);
    if (this.marked !== state || !this.now.firstChild) {
      this.marked = state;
      this.now.replaceChildren(badge(told.state, told.reason), el("span", { class: "hint" }));
    }
    say(this.now.lastChild, lasted === null ? "" : `${told.state === "serving" ? "ready" : "not ready"} for ${duration(lasted)}`);
    this.#showViews();
    const chat = this.chosen.view === "chat" && this.fleet.about?.chat;
    if (chat) this.#showChat();
    else this.#showOverview();
  }

  #showViews() {
    if (!this.fleet.about?.chat) return;
    const views = [["", "Overview"], ["chat", "Chat"]];
    const current = this.chosen.view === "chat" ? "chat" : "";
    if (this.views.dataset.current === current && this.views.firstChild) return;
    this.views.dataset.current = current;
    this.views.replaceChildren(...views.map(([view, words]) =>
      el("a", { href: link(this.chosen, view), "aria-current": view === current ? "page" : null }, words)));
  }

  #showChat() {
    if (!this.#chats.has(this.key)) this.#chats.set(this.key, new Chat());
    const chat = this.#chats.get(this.key);
    chat.know(this.told);
    if (this.shown === "chat") return;
    this.shown = "chat";
    this.body.replaceChildren(chat.node);
  }

  /** Made anew only where it differs: what is selected or focused stays so. */
  #showOverview() {
    const { now, ...lasting } = this.told;
    const starting = lasting.pods.some((pod) => !pod.readySince);
    const text = JSON.stringify(lasting) + (starting ? now : "");
    if (this.shown === text) return;
    this.shown = text;
    const held = this.body.contains(document.activeElement) ? [...this.body.querySelectorAll("button, pre")].indexOf(document.activeElement) : -1;
    this.body.replaceChildren(...this.#overview());
    if (held >= 0) this.body.querySelectorAll("button, pre")[held]?.focus({ preventScroll: true });
  }

  #overview() {
    const told = this.told;
    const load = told.load;
    return [
      this.#case(),
      load && part("Load", facts([
        ["Tokens/s out", number(load.out)], ["Tokens/s in", number(load.in)],
        ["Running", number(load.running)], ["Waiting", number(load.waiting)], ["KV cache", percent(load.cache)],
      ])),
      part(`Pods, ${told.ready} of ${told.wanted} ready`,
        told.pods.length ? el("ul", {}, ...told.pods.map((pod) => podPart(pod, this.fleet.now))) : el("p", { class: "hint" }, "There is no pod.")),
      this.#started(),
      this.#conditions(),
      this.#commands(),
    ].filter(Boolean);
  }

  #case() {
    const { state, message, remedy, logLine, failedPod, means } = this.told;
    return el(
      "div",
      { class: "part case", "data-state": state },
      el("h3", {}, state === "trouble" ? "What is wrong" : "What is the case"),
      el("p", {}, message || means),
      logLine ? el("pre", { tabindex: "0" }, logLine) : null,
      failedPod ? el("p", { class: "hint" }, `seen on ${failedPod}`) : null,
      remedy ? el("h3", {}, "What to do") : null,
      remedy ? el("p", {}, remedy) : null,
    );
  }

  #started() {
    const { startup } = this.told;
    if (!startup) return null;
    const names = { scheduled: "Node", pulled: "Image and volumes", downloaded: "Download", loaded: "Loading", ready: "Opening ports" };
    const parts = Object.entries(startup)
      .filter(([name, value]) => name.endsWith("Seconds") && typeof value === "number")
      .map(([name, value]) => [names[name.slice(0, -7)] ?? name.slice(0, -7), value, false]);
    const whole = parts.reduce((sum, [, seconds]) => sum + seconds, 0);
    return part(`Last start took ${duration(whole)}`, phaseBar(parts));
  }

  #conditions() {
    const { conditions } = this.told;
    if (!conditions.length) return null;
    return part("Conditions", el("ul", { class: "conditions" }, ...conditions.map((each) =>
      el("li", {},
        el("span", { class: "holds" }, `${each.type}: ${each.status}`),
        el("span", { class: "why" }, each.type === "Ready" ? each.reason : `${each.reason}: ${each.message}`)))));
  }

  #commands() {
    const { namespace, name, served, endpoints } = this.told;
    const service = endpoints?.grpc?.split(".")[0] ?? name;
    const body = JSON.stringify({ prompt: "Who are you?" });
    return part(
      "At a terminal",
      copyable(`qwenctl status ${name} -n ${namespace}`),
      this.told.ready === 0 ? copyable(`qwenctl logs ${name} -n ${namespace}`) : copyable(`kubectl port-forward -n ${namespace} svc/${service} 8000 &\ncurl localhost:8000/v2/models/${served}/generate -d '${body}'`),
    );
  }
}
