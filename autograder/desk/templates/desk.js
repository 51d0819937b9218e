// The pages of manual grading: saves every step at once as a draft, one request after the other, and tries again until the server has
// it. An answer is graded by a step of its own.
"use strict";

const status = document.getElementById("status");

function tell(text, trouble = false) {
  status.textContent = text;
  status.classList.toggle("ag-trouble", trouble);
}

async function post(path, data) {
  const raw = typeof data === "string" || data instanceof ArrayBuffer;
  const sent = raw ? data : JSON.stringify(data);
  const type = typeof data === "string" ? "text/csv" : raw ? "application/octet-stream" : "application/json";
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": type }, body: sent, credentials: "same-origin" });
  let body = {};
  try { body = await answer.json(); } catch { body = { error: `The server answered ${answer.status}.` }; }
  return { ok: answer.ok, code: answer.status, body };
}

async function act(path, data) {
  tell("…");
  try {
    const { ok, body } = await post(path, data);
    tell(body.error || body.told || "Done.", !ok);
    return ok ? body : null;
  } catch {
    tell("The server does not answer. Is the command still running?", true);
    return null;
  }
}

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// --- the list of questions, the rubric ----------------------------------------------------------------------------------

for (const button of document.querySelectorAll("button[data-post]:not([data-undo-override])")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    const done = await act(button.dataset.post, {});
    button.disabled = false;
    if (done && button.dataset.post.includes("/blank/")) setTimeout(() => location.reload(), 900);
  });
}
document.getElementById("me")?.addEventListener("submit", (event) => {
  event.preventDefault();
  act("/api/me", { name: document.getElementById("name").value });
});
document.getElementById("import")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = document.getElementById("file").files[0];
  if (!file) return tell("Choose a file first.", true);
  const done = await act("/api/import", await file.text());
  if (done && !done.told.includes("\n")) setTimeout(() => location.reload(), 1200);
});
document.getElementById("invite")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const head = document.getElementById("invited-head").checked;
  const done = await act("/api/invite", { name: document.getElementById("invited").value, head });
  if (!done) return;
  const shown = document.getElementById("link");
  shown.hidden = false;
  shown.replaceChildren("Open this in the other browser, once: ", element("code", done.link));
});
for (const button of document.querySelectorAll("[data-revoke]")) {
  button.addEventListener("click", async () => {
    if (await act("/api/revoke", { name: button.dataset.revoke })) setTimeout(() => location.reload(), 600);
  });
}
const edited = document.getElementById("rubric-edit");
if (edited) {
  document.getElementById("add-item")?.addEventListener("click", () => {
    const list = edited.querySelector("ol");
    const made = list.lastElementChild.cloneNode(true);
    for (const field of made.querySelectorAll("textarea, input")) field.value = "";
    list.append(made);
    made.querySelector("textarea").focus();
  });
  edited.addEventListener("submit", async (event) => {
    event.preventDefault();
    const rows = [...edited.querySelectorAll("li")].map((row) => [
      row.querySelector("[data-words]").value, row.querySelector("[data-points]").value]);
    const wrong = rows.some(([, worth]) => worth === "" || !Number.isFinite(Number(worth)));
    if (wrong) return tell("Each item needs points.", true);
    const items = rows.map(([words, worth]) => [words, Number(worth)]);
    const done = await act(edited.dataset.post, { version: Number(edited.dataset.version), items });
    if (done) setTimeout(() => location.reload(), 900);
  });
}
document.querySelector(".ag-filter")?.addEventListener("change", (event) => {
  if (event.target instanceof HTMLSelectElement) event.currentTarget.requestSubmit();
});

// --- regrade requests, overrides ----------------------------------------------------------------------------------------

document.getElementById("take")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = document.getElementById("file").files[0];
  if (!file) return tell("Choose a file first.", true);
  const done = await act(`/api/requests?name=${encodeURIComponent(file.name)}`, await file.arrayBuffer());
  if (done && !done.told.includes("\n")) setTimeout(() => location.reload(), 1200);
});
const reason = document.getElementById("reply");
function given(form) { // null where no points are typed
  const typed = form.querySelector("[data-points]")?.value.trim() ?? "";
  return typed === "" ? null : { part: form.querySelector("[data-part]").value, points: Number(typed) };
}
document.getElementById("reply-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  const decision = form.querySelector("[name=decision]:checked")?.value;
  if (!decision) return tell("Choose a decision first.", true);
  const done = await act(form.dataset.post, { decision, reply: reason.value, seen: form.dataset.seen, ...given(form) });
  if (done) location.assign(form.dataset.next);
});
document.getElementById("override-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  if (!given(form)) return tell("Points are wanted.", true);
  if (await act(form.dataset.post, { why: reason.value, ...given(form) })) setTimeout(() => location.reload(), 600);
});
for (const button of document.querySelectorAll("[data-undo-override]")) button.addEventListener("click", async () => {
  if (await act(button.dataset.post, { undo: true, part: button.dataset.undoOverride })) setTimeout(() => location.reload(), 600);
});
if (!document.querySelector("main[data-mark]")) document.getElementById("names")?.addEventListener("click", async (event) => {
  const shown = event.currentTarget.getAttribute("aria-pressed") === "true";
  if (await act("/api/me", { names: !shown })) location.reload();
});

// --- one answer ---------------------------------------------------------------------------------------------------------

const desk = document.querySelector("main[data-mark]");
if (desk) {
  const items = [...document.querySelectorAll("fieldset[data-index]")];
  const comment = document.getElementById("comment");
  const conflict = document.getElementById("conflict");
  const flag = document.getElementById("flag");
  const ticks = [...document.querySelectorAll("[data-alike]")];
  let version = Number(desk.dataset.version);
  let touched = false; // the rubric was touched here: only then is it sent
  let grading = null; // the answer is to count, and maybe those alike: { alike }
  let dirty = false; // something is not saved yet
  let running = null; // the one request under way
  let timer = 0;
  let held = null; // somebody else's mark, until one of the two is chosen

  const share = (item) => Number(item.querySelector("input:checked")?.value ?? 0);
  const chosen = () => items.some((item) => item.querySelector("input:checked"));
  const choose = (item, value) => { item.querySelector(`input[value="${value}"]`).checked = true; };
  const name = (item) => item.querySelector(".ag-item").textContent;
  const worth = (item) => Number(item.dataset.worth);
  const number = (value) => String(Math.round(value * 100) / 100).replace("-", "−");
  const total = (shares) => number(Math.min(Math.max(0, items.reduce((sum, item, at) => sum + (shares[at] ?? 0) * worth(item), 0)), Number(desk.dataset.maximum)));

  function show(mark) {
    version = mark.version;
    document.getElementById("progress").value = mark.graded;
    document.getElementById("graded").textContent = `${mark.graded} of ${mark.total} graded`;
    const state = mark.points !== null ? "graded" : mark.draft ? "draft" : "open";
    desk.dataset.state = state;
    document.getElementById("state").textContent = state === "open" ? "not graded" : state;
    document.getElementById("points").textContent = state === "draft" ? preview() : `${mark.points === null ? "out" : number(mark.points)} of ${desk.dataset.maximum} points`;
    document.getElementById("by").textContent = mark.grader && state !== "open" ? `by ${mark.grader}` : "";
    flag.setAttribute("aria-pressed", String(mark.flagged));
  }

  function preview() {
    if (!chosen()) return "no points yet";
    return `${total(items.map(share))} points so far`;
  }

  function save() {
    dirty = true;
    if (!running && !held) running = loop().finally(() => { running = null; });
    return running ?? Promise.resolve();
  }

  async function loop() {
    while (dirty && !held) {
      dirty = false;
      const asked = grading;
      const data = { version, comment: comment.value, rubric_version: Number(desk.dataset.rubric), flagged: flag.getAttribute("aria-pressed") === "true" };
      if (touched) data.rubric = items.map(share);
      if (asked) { data.graded = true; data.alike = asked.alike; }
      try {
        tell("Saving …");
        const { ok, code, body } = await post(desk.dataset.mark, data);
        if (ok) {
          show(body);
          if (body.edited) { grading = null; tell("Saved as a draft: the rubric was edited. Loading it …", true); setTimeout(() => location.reload(), 1200); return; }
          if (asked) grading = null;
          tell(body.left ? `Saved. ${body.left} alike were changed in the meantime and left alone.` : body.draft ? "Draft saved." : "Saved.");
        } else if (code === 409) { clash(body); } else if (code === 401) {
          dirty = true;
          tell("Not saved: the server was restarted, or your link was revoked. Open a new link in another tab; this page then saves by itself.", true);
          await new Promise((wake) => setTimeout(wake, 2000));
        } else { grading = null; tell(body.error, true); }
      } catch {
        dirty = true;
        tell("Not saved: the server does not answer. Your input is kept here; trying again …", true);
        await new Promise((wake) => setTimeout(wake, 1500));
      }
    }
  }

  // both marks beside each other; nothing is saved until one is chosen
  function clash(body) {
    held = body.mark;
    const given = (mark) => (mark.points !== null ? number(mark.points) : mark.rubric.length ? `${total(mark.rubric)} (draft)` : "draft");
    const mine = { rubric: chosen() ? items.map(share) : [], comment: comment.value };
    const table = element("table", "", { class: "ag-two" });
    const row = (...cells) => {
      const line = element("tr");
      cells.forEach((text, at) => line.append(at ? element("td", text) : element("th", text, { scope: "row" })));
      table.append(line);
    };
    const head = element("tr");
    for (const text of ["", "Yours", `Theirs, ${held.grader || "nobody"}`]) head.append(element(text ? "th" : "td", text, text ? { scope: "col" } : {}));
    table.append(head);
    items.forEach((item, at) => {
      const part = (rubric) => (rubric.length ? number((rubric[at] ?? 0) * worth(item)) : "–");
      row(name(item), part(mine.rubric), part(held.rubric));
    });
    row("Points", grading ? total(mine.rubric) : given({ points: null, rubric: mine.rubric }), given(held));
    row("Comment", mine.comment.slice(0, 300) || "–", held.comment.slice(0, 300) || "–");
    conflict.replaceChildren(element("p", body.error), table);
    const buttons = element("p");
    for (const [text, keep] of [["Use theirs", false], ["Keep mine", true]]) {
      const button = element("button", text, { type: "button" });
      button.addEventListener("click", () => {
        version = held.version;
        held = null;
        conflict.hidden = true;
        if (keep) { touched = touched || chosen(); save(); } else { grading = null; dirty = false; location.reload(); }
      });
      buttons.append(button, " ");
    }
    conflict.append(buttons);
    conflict.hidden = false;
    tell("Not saved: another grader saved this answer first.", true);
  }

  async function flush() {
    clearTimeout(timer);
    if (timer) { timer = 0; save(); }
    while (running) await running;
    return !held && !dirty;
  }

  async function go(path) { if (await flush()) location.assign(path); }

  async function grade(alike) {
    if (!chosen() && desk.dataset.state !== "graded") return tell("Nothing is chosen yet: 0 gives no points, f all of them.", true);
    clearTimeout(timer);
    timer = 0;
    if (desk.dataset.state !== "graded" || alike || touched) {
      if (chosen()) touched = true;
      grading = { alike: alike ? Object.fromEntries(ticks.filter((tick) => tick.checked).map((tick) => [tick.dataset.alike, Number(tick.dataset.version)])) : {} };
    }
    await save();
    if (await flush() && !grading && desk.dataset.state === "graded") location.assign(desk.dataset.next);
  }

  async function undo() {
    if (!(await flush())) return;
    try {
      const { ok, body } = await post(desk.dataset.undo, {});
      if (ok) location.assign(`${desk.dataset.base}/${body.key}`); else tell(body.error, true);
    } catch { tell("The grading page does not answer.", true); }
  }

  async function names() {
    const button = document.getElementById("names");
    if (await flush() && await act("/api/me", { names: button.getAttribute("aria-pressed") !== "true" })) location.reload();
  }

  function others() {
    for (const other of items) if (!other.querySelector("input:checked")) choose(other, 0);
  }

  function toggle(index, value) {
    const item = items[index];
    if (!item) return;
    const before = item.querySelector("input:checked");
    others();
    choose(item, before && Number(before.value) === value ? 0 : value);
    touched = true;
    save();
  }

  function all(value) {
    for (const item of items) choose(item, value === 1 && worth(item) < 0 ? 0 : value);
    touched = true;
    save();
  }

  function mark() {
    flag.setAttribute("aria-pressed", String(flag.getAttribute("aria-pressed") !== "true"));
    save();
  }

  for (const item of items) item.addEventListener("change", () => {
    others();
    touched = true;
    save();
  });
  comment.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { timer = 0; save(); }, 500);
  });
  comment.addEventListener("blur", () => { if (timer) { clearTimeout(timer); timer = 0; save(); } });

  // --- saved comments, alike answers, rivals

  const list = document.getElementById("snippet-list");
  function listed(snippets) {
    list.replaceChildren(...snippets.map(([number, text]) => {
      const line = element("li");
      line.append(element("button", text, { type: "button", "data-say": "" }), element("button", "×", { type: "button", "data-drop": number, "aria-label": "Drop this saved comment" }));
      return line;
    }));
  }
  list.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.drop) {
      const done = await act(desk.dataset.snippet, { drop: Number(button.dataset.drop) });
      if (done) listed(done.snippets);
      return;
    }
    comment.value = [comment.value.trimEnd(), button.textContent].filter(Boolean).join("\n\n");
    save();
  });
  document.getElementById("keep-comment").addEventListener("click", async () => {
    const done = await act(desk.dataset.snippet, { text: comment.value });
    if (done) { listed(done.snippets); document.getElementById("snippets").open = true; }
  });
  const count = () => { const shown = document.getElementById("ticked"); if (shown) shown.textContent = ticks.filter((tick) => tick.checked).length; };
  for (const tick of ticks) tick.addEventListener("change", count);
  count();
  const range = document.getElementById("alike");
  range?.addEventListener("input", () => { document.getElementById("alike-shown").textContent = range.value; });
  range?.addEventListener("change", async () => { if (await flush() && await act("/api/me", { alike: Number(range.value) })) location.reload(); });
  for (const button of document.querySelectorAll("[data-rival]")) button.addEventListener("click", async () => {
    if (!(await flush())) return;
    if (await act(desk.dataset.settle, { rival: Number(button.dataset.rival), take: button.dataset.take === "yes" })) location.reload();
  });

  const actions = {
    zero: () => all(0),
    full: () => all(1),
    grade: () => grade(false),
    "grade-all": () => grade(true),
    flag: mark,
    undo,
    names,
    next: () => go(desk.dataset.next),
    before: () => go(desk.dataset.before),
    after: () => go(desk.dataset.after),
  };
  for (const [id, action] of Object.entries(actions)) document.getElementById(id)?.addEventListener("click", action);
  for (const link of document.querySelectorAll("header a, main a[href^='/']")) link.addEventListener("click", (event) => { event.preventDefault(); go(link.getAttribute("href")); });
  document.getElementById("rubric").addEventListener("submit", (event) => event.preventDefault());

  const keys = { n: "next", u: "undo", f: "full", m: "flag", a: "grade-all", 0: "zero", Enter: "grade", ArrowLeft: "before", ArrowRight: "after" };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.ctrlKey) { event.preventDefault(); grade(false); return; }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === comment) {
      if (event.key === "Escape") comment.blur();
      return;
    }
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
    if (digit) { event.preventDefault(); toggle(Number(digit[1]) - 1, event.shiftKey ? 0.5 : 1); return; }
    if (event.key === "c") { event.preventDefault(); comment.focus(); return; }
    if (event.key === "s") { event.preventDefault(); document.getElementById("snippets").open = true; (list.querySelector("button") ?? document.getElementById("keep-comment")).focus(); return; }
    const own = event.key === "Enter" ? "button, a, summary" : "input";
    const taken = (event.key === "Enter" || event.key.startsWith("Arrow")) && event.target.closest?.(own); // the focused thing's own key
    const action = keys[event.key];
    if (action && actions[action] && document.getElementById(action) && !taken) { event.preventDefault(); actions[action](); }
  });
  window.addEventListener("beforeunload", (event) => { if (dirty || running || timer || held) event.preventDefault(); });
  addEventListener("focus", () => { if (dirty && !running) save(); });
  if (desk.dataset.state === "draft") document.getElementById("points").textContent = preview();
  document.body.dataset.ready = "yes"; // keys work from here on
}
