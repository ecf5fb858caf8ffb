// What the operator tells: every model first, then what changes. One connection, opened again
// whenever it ends.

const AGAIN_MS = 2000;
const KEPT = 150; // samples of throughput: five minutes

/** The fleet as it is known here. */
export class Fleet extends EventTarget {
  rows = new Map();
  about = null;
  state = "waiting";
  words = "Connecting…";
  history = [];
  #offset = 0;
  #source = null;

  /** The operator's clock, in seconds. */
  get now() {
    return Date.now() / 1000 + this.#offset;
  }

  connect() {
    this.#source?.close();
    const source = new EventSource("api/feed");
    this.#source = source;
    let fresh = true;
    source.onmessage = (event) => {
      const told = JSON.parse(event.data);
      this.#offset = told.now - Date.now() / 1000;
      this.about = told.about ?? this.about;
      if (fresh) this.rows.clear(); // whatever went while nobody listened
      fresh = false;
      this.#take(told);
    };
    source.onerror = () => {
      fresh = true;
      this.#say("lost", "No answer from the operator; trying again");
      if (source.readyState === EventSource.CLOSED) this.#askWhy();
    };
  }

  #take(told) {
    const moved = [];
    for (const [namespace, name] of told.gone) this.rows.delete(`${namespace}/${name}`);
    for (const row of told.rows) {
      const key = `${row.namespace}/${row.name}`;
      const before = this.rows.get(key);
      if (before && before.state !== row.state) moved.push(row);
      this.rows.set(key, row);
    }
    const rates = [...this.rows.values()].map((row) => row.load?.out ?? null);
    const known = rates.filter((each) => each !== null);
    this.history.push(known.length ? known.reduce((sum, each) => sum + each, 0) : null);
    if (this.history.length > KEPT) this.history.shift();
    this.#say("live", "Live");
    this.dispatchEvent(new CustomEvent("change", { detail: { moved } }));
  }

  #say(state, words) {
    if (this.state === state && this.words === words) return;
    this.state = state;
    this.words = words;
    this.dispatchEvent(new Event("connection"));
  }

  /** A refused connection says why only to a plain request. */
  async #askWhy() {
    const source = this.#source;
    try {
      const answer = await fetch("api/feed", { headers: { accept: "application/json" } });
      if (answer.status === 503) this.#say("lost", why(await answer.json()));
      else answer.body?.cancel();
    } catch {
      // still no answer
    }
    setTimeout(() => source === this.#source && this.connect(), AGAIN_MS);
  }
}

function why(told) {
  if (told.error) return told.error;
  return told.standby
    ? `This operator stands by; ${told.standby} leads`
    : "The operator is still looking at the cluster";
}
