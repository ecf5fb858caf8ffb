// A conversation with one model: kept in this page alone, and gone with it.

import { el, say } from "./dom.js";
import { duration, number } from "./format.js";

const FENCED = /^```[^\n`]*\n([\s\S]*?)(?:^```[ \t]*$\n?|$(?![\s\S]))/gm;

/** Text with fenced code as code; everything stays text. */
export function paragraphs(text) {
  const found = [];
  let from = 0;
  const plain = (piece) => piece.trim() && found.push(el("span", {}, piece.replace(/^\n+|\n+$/g, "")));
  for (const fenced of text.matchAll(FENCED)) {
    plain(text.slice(from, fenced.index));
    found.push(el("pre", { tabindex: "0" }, fenced[1].replace(/\n$/, "")));
    from = fenced.index + fenced[0].length;
  }
  plain(text.slice(from));
  return found;
}

/** The lines of a stream, each a JSON value. */
export async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const each of parts) if (each) yield JSON.parse(each);
  }
}

async function refusal(answer) {
  try {
    return (await answer.json()).error ?? `HTTP ${answer.status}`;
  } catch {
    return `HTTP ${answer.status}`;
  }
}

/** One answer as it is written. */
class Answer {
  text = "";
  thought = "";
  tokens = null;
  finish = null;
  #began = performance.now();
  #first = null;

  constructor() {
    this.thinking = el("p");
    this.thoughts = el("details", { hidden: true }, el("summary", {}, "What it thought"), this.thinking);
    this.body = el("div");
    this.writing = el("span", { class: "writing" });
    this.body.append(this.writing);
    this.node = el("div", { class: "message assistant", "aria-busy": "true" }, el("span", { class: "unseen" }, "The model: "), this.thoughts, this.body);
    this.told = el("p", { class: "told" });
  }

  take(piece) {
    this.#first ??= performance.now();
    this.thought += piece.thought ?? "";
    this.text += piece.text ?? "";
    this.tokens = piece.tokens ?? this.tokens;
    this.finish = piece.finish ?? this.finish;
    if (piece.thought) {
      this.thoughts.hidden = false;
      this.thinking.textContent = this.thought;
    }
    this.writing.textContent = this.text;
  }

  end(words = "") {
    this.body.replaceChildren(...paragraphs(this.text));
    this.node.removeAttribute("aria-busy");
    this.told.classList.toggle("wrong", Boolean(words));
    say(this.told, words || this.#figures());
    if (!this.text && !this.thought) this.node.remove();
  }

  #figures() {
    const seconds = (performance.now() - this.#began) / 1000;
    const writing = (performance.now() - (this.#first ?? this.#began)) / 1000;
    const waited = this.#first === null ? "" : `, first after ${number((this.#first - this.#began) / 1000)} s`;
    const rate = this.tokens && writing > 0.05 ? `, ${number(this.tokens / writing)} tokens/s` : "";
    const cut = this.finish === "length" ? "; cut off at the longest answer allowed" : "";
    return this.tokens === null ? `${duration(seconds)}` : `${number(this.tokens)} tokens${rate}${waited}${cut}`;
  }
}

/** The chat box. */
export class Chat {
  #history = [];
  #writing = null;

  constructor() {
    this.said = el("div", { class: "said", role: "log", "aria-label": "Conversation", "aria-live": "polite" },
      el("p", { class: "nothing" }, "Ask something."));
    this.prompt = el("textarea", { rows: 2, id: "prompt", maxlength: 32000, keydown: (event) => this.#key(event) });
    this.send = el("button", { class: "main", type: "submit" }, "Send");
    this.clear = el("button", { type: "button", click: () => this.#forget() }, "Clear");
    this.system = el("textarea", { rows: 2, maxlength: 32000, placeholder: "The model's own" });
    this.longest = el("input", { type: "number", min: 1, max: 4096, value: 512, required: true });
    this.temperature = el("input", { type: "number", min: 0, max: 2, step: 0.1, placeholder: "the model's own" });
    this.adapter = el("select");
    this.adapterField = el("label", { hidden: true }, el("span", {}, "Adapter"), this.adapter);
    this.key = el("input", { type: "password", autocomplete: "off", spellcheck: "false" });
    this.keyField = el("label", { class: "key", hidden: true }, el("span", {}, "API key: this model asks for one; it is kept in this page only"), this.key);
    this.hint = el("span", { class: "hint" });
    this.node = el(
      "div",
      { class: "chat" },
      this.said,
      el("form", { class: "ask", submit: (event) => this.#submitted(event) },
        this.keyField,
        el("label", { class: "unseen", for: "prompt" }, "Your message"),
        this.prompt,
        el("div", { class: "row" }, this.hint, this.clear, this.send),
        el("details", { class: "how" }, el("summary", {}, "Settings"),
          el("div", { class: "fields" },
            el("label", { class: "wide" }, el("span", {}, "System prompt"), this.system),
            el("label", {}, el("span", {}, "Longest answer, tokens"), this.longest),
            el("label", {}, el("span", {}, "Temperature, 0 to 2"), this.temperature),
            this.adapterField))),
    );
  }

  /** What is known of the model now. */
  know(model) {
    this.model = model;
    this.keyField.hidden = !model.asksForKey;
    const names = ["", ...model.adapters];
    this.adapterField.hidden = names.length < 2;
    if ([...this.adapter.options].map((each) => each.value).join("\n") !== names.join("\n"))
      this.adapter.replaceChildren(...names.map((name) => el("option", { value: name }, name || "none")));
    const serves = model.ready > 0;
    say(this.hint, serves ? "Enter sends, Shift+Enter makes a line" : model.state === "serving" ? "No pod has been read yet" : `No pod serves: ${model.reason}`);
    this.send.disabled = !serves && !this.#writing;
  }

  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!this.#writing && !this.send.disabled) event.target.form.requestSubmit();
  }

  #forget() {
    this.#writing?.abort();
    this.#history = [];
    this.said.replaceChildren(el("p", { class: "nothing" }, "Ask something."));
    this.prompt.focus();
  }

  #submitted(event) {
    event.preventDefault();
    if (this.#writing) this.#writing.abort();
    else if (this.prompt.value.trim()) this.#ask(this.prompt.value.trim());
  }

  #question() {
    const system = this.system.value.trim();
    const asked = {
      namespace: this.model.namespace,
      name: this.model.name,
      messages: [...(system ? [{ role: "system", content: system }] : []), ...this.#history],
      maxTokens: Number(this.longest.value) || 512,
    };
    if (this.temperature.value !== "") asked.temperature = Number(this.temperature.value);
    if (this.adapter.value) asked.adapter = this.adapter.value;
    if (this.model.asksForKey && this.key.value.trim()) asked.key = this.key.value.trim();
    return asked;
  }

  async #ask(text) {
    this.said.querySelector(".nothing")?.remove();
    const history = this.#history;
    history.push({ role: "user", content: text });
    this.prompt.value = "";
    const answer = new Answer();
    this.said.append(
      el("div", { class: "message user" }, el("span", { class: "unseen" }, "You: "), text),
      answer.node, answer.told);
    answer.told.scrollIntoView({ block: "nearest" });
    const writing = new AbortController();
    this.#writing = writing;
    say(this.send, "Stop");
    let words = "";
    try {
      await this.#listen(answer, writing.signal);
    } catch (problem) {
      words = writing.signal.aborted ? "Stopped" : problem.message;
    }
    answer.end(words);
    this.#remember(answer, text, history);
    if (this.#writing === writing) this.#writing = null;
    say(this.send, "Send");
    this.know(this.model);
    answer.told.scrollIntoView({ block: "nearest" });
  }

  async #listen(answer, signal) {
    const response = await fetch("api/chat", {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify(this.#question()), signal,
    });
    if (!response.ok) throw new Error(await refusal(response));
    for await (const piece of lines(response.body)) {
      if (piece.error) throw new Error(piece.error);
      const seen = answer.told.getBoundingClientRect().top < innerHeight + 60; // else someone reads above
      answer.take(piece);
      if (seen) answer.told.scrollIntoView({ block: "nearest" });
    }
  }

  /** A question without an answer is none; what was stopped counts as far as it came. */
  #remember(answer, text, history) {
    if (answer.text) history.push({ role: "assistant", content: answer.text });
    else {
      history.pop();
      if (!this.prompt.value && history === this.#history) this.prompt.value = text;
    }
  }
}
