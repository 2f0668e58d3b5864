// A browser without a window: opens pages of a server of ours, runs their scripts, and says what they show.
//
// Each page has a world of its own, with what a browser has and nothing of Node: a name that is not defined there fails
// here. What is asked comes in as a line of JSON, `{id, url}` to open a page or `{id, page, until}` to wait until an
// expression holds in it; the answer goes out as one. What a page reports as an error is a fault, and is told with it.
import readline from "node:readline";
import vm from "node:vm";
import { parseHTML } from "linkedom";
import NodeSocket from "ws";

const LOOK_EVERY_MS = 5;
// Less than whoever asks waits, so that he is told what the page shows.
const PATIENCE_MS = 50_000;
const LONGEST_STEP_MS = 1000;
const pages = [];

/** As in a browser, a socket whose errors nobody listens to ends no program. */
class WebSocket extends NodeSocket {
  constructor(...given) {
    super(...given);
    this.on("error", () => {});
  }
}

/** An `EventTarget` that is also the window of a page. */
function windowOf(document, location, faults) {
  const events = new EventTarget();
  const told = (...values) => faults.push(values.map((value) => value?.stack ?? String(value)).join(" "));
  const frames = { requestAnimationFrame: (draw) => setTimeout(() => draw(performance.now()), 1), cancelAnimationFrame: clearTimeout };
  const window = {
    document,
    location,
    WebSocket,
    URL,
    URLSearchParams,
    Event,
    performance,
    console: { log() {}, warn: told, error: told },
    addEventListener: events.addEventListener.bind(events),
    dispatchEvent: events.dispatchEvent.bind(events),
    ...frames,
    ...Object.fromEntries(["setTimeout", "setInterval"].map((name) => [name, guarded(globalThis[name], told)])),
    clearTimeout,
    clearInterval,
  };
  window.window = window;
  return vm.createContext(window);
}

/** A timer whose work may fail without ending this program. */
function guarded(timer, told) {
  return (work, ...rest) =>
    timer(() => {
      try {
        work();
      } catch (error) {
        told(error);
      }
    }, ...rest);
}

/** What a small document object model lacks: nothing has a size here, so everything has room. */
function furnish(document) {
  const element = Object.getPrototypeOf(document.createElement("div").constructor.prototype);
  for (const name of ["scrollWidth", "clientWidth", "offsetWidth", "scrollHeight", "clientHeight"]) {
    Object.defineProperty(element, name, { get: () => 0, configurable: true });
  }
  Object.defineProperty(document, "hidden", { value: false });
}

async function open(url) {
  const faults = [];
  const location = new URL(url);
  const { document } = parseHTML(await textOf(url));
  const context = windowOf(document, location, faults);
  furnish(document);
  const page = { document, context, faults };
  pages.push(page);
  const modules = new Map();
  for (const script of document.querySelectorAll("script[src]")) {
    const module = await load(new URL(script.getAttribute("src"), url).href, context, modules);
    await module.evaluate().catch((error) => faults.push(error.stack));
  }
  return { page: pages.length - 1 };
}

async function load(url, context, modules) {
  const module = await compiled(url, context, modules);
  if (module.status === "unlinked") {
    await module.link((specifier, from) => compiled(new URL(specifier, from.identifier).href, context, modules));
  }
  return module;
}

function compiled(url, context, modules) {
  if (!modules.has(url)) {
    modules.set(url, textOf(url).then((text) => new vm.SourceTextModule(text, { context, identifier: url })));
  }
  return modules.get(url);
}

async function textOf(url) {
  const answer = await fetch(url.split("#")[0]);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.text();
}

async function until({ page, until: condition }) {
  const { context, faults } = pages[page];
  let waited = 0;
  let looked = performance.now();
  for (;;) {
    const holds = vm.runInContext(condition, context);
    // While we are stopped nothing of the page runs: of a pause, a second counts.
    waited += Math.min(performance.now() - looked, LONGEST_STEP_MS);
    looked = performance.now();
    if (holds || faults.length || waited > PATIENCE_MS) {
      return { holds: Boolean(holds), shown: shown(page), scene: pages[page].document.body.dataset.scene, faults };
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** The text that can be seen, by the field it stands in: `blue.score`, where it is a side's; several of a name are a list. */
function shown(page) {
  const { document } = pages[page];
  const found = {};
  for (const element of document.querySelectorAll("[data-field]")) {
    if (element.closest("[hidden]")) continue;
    const colour = element.closest("[data-colour]")?.dataset.colour;
    const text = textIn(element);
    const name = colour ? `${colour}.${element.dataset.field}` : element.dataset.field;
    if (text) found[name] = name in found ? [found[name], text].flat() : text;
  }
  return found;
}

/** Text with a blank between elements; a row of marks is how many of them are set. */
function textIn(element) {
  if (element.dataset.field === "pips") return String(element.querySelectorAll(".won").length);
  const parts = element.children.length ? [...element.children].map(textIn) : [element.textContent];
  return parts.filter(Boolean).join(" ");
}

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, ...asked } = JSON.parse(line);
  const answer = await (asked.url ? open(asked.url) : until(asked)).catch((error) => ({ faults: [error.stack] }));
  console.log(JSON.stringify({ id, ...answer }));
});
process.stdin.on("close", () => process.exit(0));
