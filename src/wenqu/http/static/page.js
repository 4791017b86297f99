// The page of wenqu: asks, shows sources, then the answer as it is written, then its citations.
// Text of documents only ever becomes text nodes: it is data, never markup.

const $ = (id) => document.getElementById(id);
let texts = {};
let stages = {};  // stage → what it is called
let running = null;
let shown = new Map();  // marker → what the list of sources shows of it
let whole = null;  // the question and its answer, when it is whole

// What a reader chose, the language for good, the knowledge base and a question for this tab. A
// browser may refuse to keep anything: then nothing is kept.
const kept = {
  get(store, name) { try { return globalThis[store].getItem(`wenqu.${name}`); } catch { return null; } },
  set(store, name, value) { try { globalThis[store].setItem(`wenqu.${name}`, value); } catch { /* see above */ } },
};

const say = (key, values = {}) =>
  Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), texts[key] ?? "");

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

async function fetchJson(url) {
  const response = await fetch(url);
  const body = await response.json();
  if (!response.ok) throw body;
  return body;
}

async function setLanguage(language) {
  const loaded = await fetchJson(`/api/texts${language ? `?lang=${language}` : ""}`);
  ({ texts, stages } = loaded);
  document.documentElement.lang = loaded.language;
  document.querySelectorAll("[data-text]").forEach((node) => { node.textContent = say(node.dataset.text); });
  $("question").placeholder = say("placeholder");
  document.title = say("title");
}

async function loadBases() {
  const { knowledge_bases: bases, first } = await fetchJson("/api/kbs");
  $("kb").replaceChildren(...bases.map((base) => new Option(`${base.name} (${base.documents})`, base.name)));
  const last = bases.find((base) => base.name === kept.get("sessionStorage", "kb"))?.name;
  if (last ?? first) $("kb").value = last ?? first;
  if (!bases.some((base) => base.documents)) showStatus(say("none"));
}

function showStatus(text, isError = false) {
  $("status").textContent = text;
  $("status").className = isError ? "error" : "";
}

// The server's errors say what to do; what the browser itself throws means that no server answers.
function showError(error) {
  const known = error && error.message && error.error;
  showStatus(known ? [error.message, error.hint].filter(Boolean).join(" ") : say("unreachable"), true);
}

// Yields [event, data] of a server-sent stream that answers a POST.
async function* serverEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    let end;
    while ((end = buffer.indexOf("\n\n")) >= 0) {
      const lines = buffer.slice(0, end).split("\n");
      buffer = buffer.slice(end + 2);
      const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      yield [field("event"), JSON.parse(field("data"))];
    }
  }
}

function place(item, pages = item.page ? [item.page] : []) {
  const path = [...new Set([item.title, ...item.heading])].join(" › ");
  return pages.length ? `${path} · ${say("page", { page: pages.join(", ") })}` : path;
}

function showSources(evidence) {
  shown = new Map(evidence.map((item) => [item.marker, item]));
  $("sources-title").hidden = !evidence.length;
  $("sources").replaceChildren(...evidence.map((item) => {
    const entry = element("li", "",
      element("div", "place", `[${item.marker}] ${place(item)}`),
      element("div", "source", item.document),
      element("blockquote", "", item.text.trim()));
    entry.id = `source-${item.marker}`;
    return entry;
  }));
}

// Turns [1] into links to the sources; `doubted` has the markers that could not be confirmed.
function linked(text, doubted = new Set()) {
  return text.split(/(\[\d+\])/).map((part) => {
    const marker = /^\[(\d+)\]$/.exec(part)?.[1];
    if (!marker) return part;
    const link = element("a", doubted.has(Number(marker)) ? "doubt" : "", part);
    link.href = `#source-${marker}`;
    return link;
  });
}

// Two lines or more like | a | b |; markers may stand behind the last.
const TABLE = /(?:^[ \t]*\|.*\|[ \t]*(?:\[\d+\][ \t]*)*(?:\n|$)){2,}/gm;

// A text as nodes: its tables become tables, its markers links, and a sentence that no source bears
// out says so in words, since a colour alone is not seen by everyone.
function written(text, sentences = []) {
  const nodes = [];
  let done = 0;
  for (const { 0: rows, index } of text.matchAll(TABLE)) {
    const end = index + rows.length;
    const inside = sentences.filter((one) => one.start < end && one.end > index);
    nodes.push(...prose(text, done, index, sentences), ...table(rows.trim().split("\n"), inside));
    done = end;
  }
  return [...nodes, ...prose(text, done, text.length, sentences)];
}

function prose(text, start, end, sentences) {
  const nodes = [];
  let done = start;
  for (const one of sentences) {
    const from = Math.max(one.start, done), to = Math.min(one.end, end);
    if (from >= to) continue;
    const said = linked(text.slice(from, to), one.doubted);
    nodes.push(...linked(text.slice(done, from)),
      ...(one.supported === false ? [element("span", "doubted", ...said, ...doubt([one]))] : said));
    done = to;
  }
  return [...nodes, ...linked(text.slice(done, end))];
}

function table(lines, sentences) {
  const doubted = new Set(sentences.flatMap((one) => [...one.doubted]));
  const rows = lines.map((line) =>
    line.trim().replace(/^\||\|[ \t]*(?:\[\d+\][ \t]*)*$/g, "").split(/(?<!\\)\|/));
  const ruler = rows.findIndex((cells) => cells.every((cell) => /^\s*:?-+:?\s*$/.test(cell)));
  const made = element("table", "", ...rows.filter((_, at) => at !== ruler).map((cells, at) =>
    element("tr", "", ...cells.map((cell) =>
      element(at < ruler ? "th" : "td", "", ...linked(cell.trim().replaceAll("\\|", "|"), doubted))))));
  const behind = /(?:\[\d+\][ \t]*)*$/.exec(lines.at(-1))[0];
  return [element("div", "wide", made), ...linked(behind, doubted), ...doubt(sentences)];
}

function doubt(sentences) {
  return sentences.some((one) => one.supported === false) ? [element("small", "", say("unconfirmed"))] : [];
}

// The sentences of an answer, with the markers in them that could not be confirmed.
function checked({ answer, sentences, citations }) {
  const letters = [...answer];  // the server counts code points, this page UTF-16 units
  const at = (count) => letters.slice(0, count).join("").length;
  return sentences.map(({ text, start, end, supported }) => ({
    start: at(start),
    end: at(end),
    supported,
    doubted: new Set(citations.filter((one) => !one.supported && one.sentence === text).map((one) => one.marker)),
  }));
}

// Marks each cited quote inside its source, names its page, and says whether it was confirmed.
function showCitations(citations) {
  for (const marker of new Set(citations.map((one) => one.marker))) {
    const entry = $(`source-${marker}`);
    if (!entry) continue;
    const cited = citations.filter((one) => one.marker === marker);
    const pages = pagesOf(cited);
    if (pages.length) entry.querySelector(".place").textContent = `[${marker}] ${place(shown.get(marker), pages)}`;
    const confirmed = cited.filter((one) => one.supported).length;
    if (confirmed) entry.append(element("div", "check", `✓ ${say("supported")}`));
    if (confirmed < cited.length) entry.append(element("div", "check doubt", `? ${say("unsupported")}`));
    for (const one of cited) markQuote(entry.querySelector("blockquote"), one.quote);
  }
}

function pagesOf(citations) {
  return [...new Set(citations.map((one) => one.page).filter(Boolean))].sort((a, b) => a - b);
}

// The answer with the sources that it cites, to be pasted elsewhere.
function asText({ question, answer: { answer, citations } }) {
  const sources = [...new Set(citations.map((one) => one.marker))].sort((a, b) => a - b).map((marker) => {
    const cited = citations.filter((one) => one.marker === marker);
    const item = shown.get(marker) ?? cited[0];
    const pages = pagesOf(cited);
    return `[${marker}] ${pages.length ? place(item, pages) : place(item)}\n    ${item.document}`;
  });
  const parts = [question, answer.trim(), sources.length ? `${say("sources")}\n${sources.join("\n")}` : ""];
  return `${parts.filter(Boolean).join("\n\n")}\n`;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // there is none but on this machine or over https
    const held = element("textarea", "");
    held.value = text;
    document.body.append(held);
    held.select();
    document.execCommand("copy");
    held.remove();
  }
}

function markQuote(block, quote) {
  for (const node of [...block.childNodes]) {
    const at = node.nodeType === Node.TEXT_NODE ? node.data.indexOf(quote) : -1;
    if (at < 0 || !quote) continue;
    const range = document.createRange();
    range.setStart(node, at);
    range.setEnd(node, at + quote.length);
    const mark = element("mark", "");
    range.surroundContents(mark);
    // A long source scrolls to the first of its quotes.
    if (block.querySelector("mark") === mark) {
      block.scrollTop = mark.getBoundingClientRect().top - block.getBoundingClientRect().top - 32;
    }
    return;
  }
}

function showEnd(question, answer, seconds) {
  whole = { question, answer };
  $("copy").hidden = false;
  $("answer").replaceChildren(...written(answer.answer, checked(answer)));
  showCitations(answer.citations);
  const refused = answer.outcome !== "answered";
  $("facts").textContent = [
    refused ? say("refused") : answer.model ?? say("extractive"),
    say("took", { seconds: seconds.toFixed(1) }),
    ...answer.skipped.map(({ stage, reason }) => say("skipped", { stage: stages[stage] ?? stage, reason })),
  ].join(" · ");
  if (refused) showSources([]);
}

async function ask(question) {
  running = new AbortController();
  const begun = performance.now();
  $("submit").textContent = say("stop");
  $("result").hidden = false;
  $("asked").textContent = question;
  $("facts").textContent = "";
  $("copy").hidden = true;
  $("answer").replaceChildren();
  $("answer").setAttribute("aria-busy", "true");  // read out when it is whole, not word by word
  showSources([]);
  let text = "", ended = false;
  try {
    await ready;
    showStatus(say("searching"));
    const response = await fetch(`/api/ask?lang=${document.documentElement.lang}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ question, kb: $("kb").value || null }),
      signal: running.signal,
    });
    if (!response.ok) throw await response.json();
    for await (const [event, data] of serverEvents(response)) {
      if (event === "evidence") { showSources(data); showStatus(say("writing")); }
      if (event === "text") { text += data; $("answer").replaceChildren(...written(text)); }
      if (event === "answer") { ended = true; showEnd(question, data, (performance.now() - begun) / 1000); showStatus(""); }
      if (event === "error") throw data;
    }
    if (!ended) throw new TypeError("the stream broke off");
  } catch (error) {
    if (error.name === "AbortError") showStatus(say("stopped"));
    else showError(error);
  } finally {
    running = null;
    $("answer").removeAttribute("aria-busy");
    $("submit").textContent = say("ask");
  }
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (running) { running.abort(); return; }
  const question = $("question").value.trim();
  if (question) ask(question);
});
$("question").addEventListener("keydown", (event) => {
  // 229: Safari says so of the Enter that ends a composition.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
    event.preventDefault();
    if (!running) $("form").requestSubmit();
  }
});
$("language").addEventListener("click", async () => {
  const chosen = document.documentElement.lang === "zh" ? "en" : "zh";
  try {
    await setLanguage(chosen);
    kept.set("localStorage", "language", chosen);
  } catch (error) {
    showError(error);
  }
});
$("copy").addEventListener("click", async () => {
  await copy(asText(whole));
  $("copy").textContent = say("copied");
  setTimeout(() => { $("copy").textContent = say("copy"); }, 2000);
});
$("question").addEventListener("input", () => kept.set("sessionStorage", "question", $("question").value));
$("kb").addEventListener("change", () => kept.set("sessionStorage", "kb", $("kb").value));

async function start() {
  $("question").value ||= kept.get("sessionStorage", "question") ?? "";
  try {
    await setLanguage(kept.get("localStorage", "language"));
    await loadBases();
  } catch (error) {
    showError(error);
  }
}
// A question may be asked before the page knows its knowledge bases: it waits for this.
const ready = start();
