// The page of wenqu: asks, shows sources, then the answer as it is written, then its citations.
// Text of documents only ever becomes text nodes: it is data, never markup.

const $ = (id) => document.getElementById(id);
let texts = {};
let running = null;

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
  texts = loaded.texts;
  document.documentElement.lang = loaded.language;
  document.querySelectorAll("[data-text]").forEach((node) => { node.textContent = say(node.dataset.text); });
  $("question").placeholder = say("placeholder");
  document.title = say("title");
}

async function loadBases() {
  const { knowledge_bases: bases, first } = await fetchJson("/api/kbs");
  $("kb").replaceChildren(...bases.map((base) => new Option(`${base.name} (${base.documents})`, base.name)));
  if (first) $("kb").value = first;
  if (!bases.some((base) => base.documents)) showStatus(say("none"));
}

function showStatus(text, isError = false) {
  $("status").textContent = text;
  $("status").className = isError ? "error" : "";
}

function showError(error) {
  const known = error && error.message && error.error;
  showStatus(known ? [error.message, error.hint].filter(Boolean).join(" ") : say("failed"), true);
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

function place(item) {
  const path = [...new Set([item.title, ...item.heading])].join(" › ");
  return item.page ? `${path} · ${say("page", { page: item.page })}` : path;
}

function showSources(evidence) {
  $("sources-title").hidden = !evidence.length;
  $("sources").replaceChildren(...evidence.map((item) => {
    const entry = element("li", "",
      element("div", "place", `[${item.marker}] ${place(item)}`),
      element("div", "source", item.document),
      element("blockquote", "", item.text));
    entry.id = `source-${item.marker}`;
    return entry;
  }));
}

// Turns [1] of the answer into links to their sources.
function showAnswer(text, citations = []) {
  const doubted = new Set(citations.filter((one) => !one.supported).map((one) => one.marker));
  const parts = text.split(/(\[\d+\])/).map((part) => {
    const marker = /^\[(\d+)\]$/.exec(part)?.[1];
    if (!marker) return part;
    const link = element("a", doubted.has(Number(marker)) ? "doubt" : "", part);
    link.href = `#source-${marker}`;
    return link;
  });
  $("answer").replaceChildren(...parts);
}

// Marks each cited quote inside its source, and says whether it was confirmed.
function showCitations(citations) {
  const byMarker = Map.groupBy ? Map.groupBy(citations, (one) => one.marker)
    : citations.reduce((map, one) => map.set(one.marker, [...(map.get(one.marker) ?? []), one]), new Map());
  for (const [marker, cited] of byMarker) {
    const entry = $(`source-${marker}`);
    if (!entry) continue;
    const confirmed = cited.every((one) => one.supported);
    entry.append(element("div", confirmed ? "check" : "check doubt",
      `${confirmed ? "✓" : "?"} ${say(confirmed ? "supported" : "unsupported")}`));
    for (const one of cited) markQuote(entry.querySelector("blockquote"), one.quote);
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

function showEnd(answer, seconds) {
  showAnswer(answer.answer, answer.citations);
  showCitations(answer.citations);
  const refused = answer.outcome !== "answered";
  $("facts").textContent = [
    refused ? say("refused") : answer.model ?? say("extractive"),
    say("took", { seconds: seconds.toFixed(1) }),
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
  showAnswer("");
  showSources([]);
  let written = "";
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
      if (event === "text") { written += data; showAnswer(written); }
      if (event === "answer") { showEnd(data, (performance.now() - begun) / 1000); showStatus(""); }
      if (event === "error") throw data;
    }
  } catch (error) {
    if (error.name === "AbortError") showStatus("");
    else showError(error);
  } finally {
    running = null;
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
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    if (!running) $("form").requestSubmit();
  }
});
$("language").addEventListener("click", () =>
  setLanguage(document.documentElement.lang === "zh" ? "en" : "zh"));

async function start() {
  try {
    await setLanguage();
    await loadBases();
  } catch (error) {
    showError(error);
  }
}
// A question may be asked before the page knows its knowledge bases: it waits for this.
const ready = start();
