// The manual grading page: saves every click at once, one request after the other, and tries again until it is saved.
"use strict";

const status = document.getElementById("status");

function tell(text, trouble = false) {
  status.textContent = text;
  status.classList.toggle("ag-trouble", trouble);
}

async function post(path, data) {
  const sent = typeof data === "string" ? data : JSON.stringify(data);
  const type = typeof data === "string" ? "text/csv" : "application/json";
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": type }, body: sent, credentials: "same-origin" });
  let body = {};
  try { body = await answer.json(); } catch { body = { error: `The server answered ${answer.status}.` }; }
  return { ok: answer.ok, code: answer.status, body };
}

// --- the list of questions --------------------------------------------------------------------------------------------

async function act(path, data) {
  tell("…");
  try {
    const { ok, body } = await post(path, data);
    tell(body.error || body.told || (body.link ? `Open this in the other browser: ${body.link}` : "Done."), !ok);
    return ok;
  } catch {
    tell("The server does not answer. Is the command still running?", true);
    return false;
  }
}

for (const button of document.querySelectorAll("[data-post]")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    const ok = await act(button.dataset.post, {});
    button.disabled = false;
    if (ok && button.dataset.post.includes("/blank/")) setTimeout(() => location.reload(), 900);
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
  if (await act("/api/import", await file.text())) setTimeout(() => location.reload(), 1200);
});

// --- one answer ---------------------------------------------------------------------------------------------------------

const desk = document.querySelector("main[data-mark]");
if (desk) {
  const items = [...document.querySelectorAll("fieldset[data-index]")];
  const comment = document.getElementById("comment");
  const conflict = document.getElementById("conflict");
  let version = Number(desk.dataset.version);
  let touched = false; // the rubric was touched here: only then is it sent
  let dirty = false; // something is not saved yet
  let running = null; // the one request under way
  let timer = 0;
  let held = null; // somebody else's mark, until one of the two is chosen

  const share = (item) => Number(item.querySelector("input:checked")?.value ?? 0);
  const choose = (item, value) => { item.querySelector(`input[value="${value}"]`).checked = true; };

  function show(mark) {
    version = mark.version;
    document.getElementById("progress").value = mark.graded;
    document.getElementById("graded").textContent = `${mark.graded} of ${mark.total} graded`;
    if (mark.points !== null) {
      document.getElementById("points").textContent = `${mark.points} points`;
      document.getElementById("by").textContent = mark.grader ? `by ${mark.grader}` : "";
    }
  }

  function save() {
    dirty = true;
    if (!running && !held) running = loop().finally(() => { running = null; });
    return running ?? Promise.resolve();
  }

  async function loop() {
    while (dirty && !held) {
      dirty = false;
      const data = { version, comment: comment.value };
      if (touched) data.rubric = items.map(share);
      try {
        tell("Saving …");
        const { ok, code, body } = await post(desk.dataset.mark, data);
        if (ok) { show(body); tell("Saved."); } else if (code === 409) { clash(body); } else if (code === 401) {
          dirty = true;
          tell("Not saved: the server was restarted. Open its new link in another tab; this page then saves automatically.", true);
          await new Promise((wake) => setTimeout(wake, 2000));
        } else { tell(body.error, true); }
      } catch {
        dirty = true;
        tell("Not saved: the server does not answer. Your change is kept on this page. Trying again …", true);
        await new Promise((wake) => setTimeout(wake, 1500));
      }
    }
  }

  function clash(body) {
    held = body.mark;
    const theirs = held.points === null ? "a comment" : `${held.points} points`;
    conflict.hidden = false;
    conflict.textContent = `${body.error} Theirs: ${theirs}${held.comment ? `, “${held.comment.slice(0, 200)}”` : ""}. `;
    for (const [text, keep] of [["Use theirs", false], ["Keep mine", true]]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.addEventListener("click", () => {
        version = held.version;
        held = null;
        conflict.hidden = true;
        if (keep) { save(); } else { dirty = false; location.reload(); }
      });
      conflict.append(button, " ");
    }
    tell("Not saved: another grader saved this answer first.", true);
  }

  async function flush() {
    clearTimeout(timer);
    if (timer) { timer = 0; save(); }
    while (running) await running;
    return !held && !dirty;
  }

  async function go(path) { if (await flush()) location.assign(path); }

  async function undo() {
    if (!(await flush())) return;
    try {
      const { ok, body } = await post(desk.dataset.undo, {});
      if (ok) location.assign(`${desk.dataset.base}/${body.key}`); else tell(body.error, true);
    } catch { tell("The server does not answer.", true); }
  }

  async function names() {
    const button = document.getElementById("names");
    if (await flush() && await act("/api/me", { names: button.getAttribute("aria-pressed") !== "true" })) location.reload();
  }

  function toggle(index, value) {
    const item = items[index];
    if (!item) return;
    const chosen = item.querySelector("input:checked");
    for (const other of items) if (!other.querySelector("input:checked")) choose(other, 0);
    choose(item, chosen && Number(chosen.value) === value ? 0 : value);
    touched = true;
    save();
  }

  function all(value) {
    for (const item of items) choose(item, value);
    touched = true;
    save();
  }

  for (const item of items) item.addEventListener("change", () => {
    for (const other of items) if (!other.querySelector("input:checked")) choose(other, 0);
    touched = true;
    save();
  });
  comment.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { timer = 0; save(); }, 500);
  });
  comment.addEventListener("blur", () => { if (timer) flush(); });
  const actions = {
    zero: () => all(0),
    full: () => all(1),
    undo,
    names,
    next: () => go(desk.dataset.next),
    before: () => go(desk.dataset.before),
    after: () => go(desk.dataset.after),
  };
  for (const [name, action] of Object.entries(actions)) document.getElementById(name).addEventListener("click", action);
  document.querySelector('a[href="/"]').addEventListener("click", (event) => { event.preventDefault(); go("/"); });

  const keys = { n: "next", u: "undo", f: "full", 0: "zero", ArrowLeft: "before", ArrowRight: "after" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === comment) {
      if (event.key === "Escape") comment.blur();
      return;
    }
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
    if (digit) { event.preventDefault(); toggle(Number(digit[1]) - 1, event.shiftKey ? 0.5 : 1); return; }
    if (event.key === "c") { event.preventDefault(); comment.focus(); return; }
    const inRadio = event.target instanceof HTMLInputElement && event.key.startsWith("Arrow"); // arrows choose within the group
    const action = keys[event.key];
    if (action && !inRadio) { event.preventDefault(); actions[action](); }
  });
  window.addEventListener("beforeunload", (event) => { if (dirty || running || timer || held) event.preventDefault(); });
  addEventListener("focus", () => { if (dirty && !running) save(); });
  document.body.dataset.ready = "yes"; // keys work from here on
}
