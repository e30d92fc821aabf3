"use strict";
// What a person ticks and sets on this page. Nothing leaves it but the CSV file that is downloaded.
(() => {
  const KEPT = "hangtag-sheet:"; // before the page's id, in the browser's storage
  const KEPT_DAYS = 30;
  const find = (selector) => document.querySelector(selector);
  const cards = [...document.querySelectorAll(".card")];
  const box = (card) => card.querySelector("input");
  const labels = JSON.parse(document.body.dataset.labels);
  const tags = new Map(); // SKU -> label: what was set in this sitting
  let current = 0; // the card that Tab leads to
  let anchor = 0; // the card ticked last: where a range begins
  let typing = false; // "/" led from a card to the label's field: the label is for that card
  let stored = true; // a reload brings everything back

  const skuOf = (card) => JSON.parse(card.dataset.sku);
  const ticked = () => cards.filter((card) => box(card).checked);
  const onCard = () => cards.length > 0 && document.activeElement === box(cards[current]);
  const targets = () => (ticked().length || !onCard() ? ticked() : [cards[current]]);
  const many = (number) => (number === 1 ? "1 product" : `${number} products`);

  function say(text, refused = false) {
    find("#status").textContent = text;
    find("#status").classList.toggle("refused", refused);
  }

  function show() {
    find("#ticked").textContent = `${ticked().length} ticked`;
    find("#labelled").textContent = `(${tags.size})`;
    find("#download").disabled = tags.size === 0;
    for (const button of document.querySelectorAll(".tick-all")) {
      button.textContent = [...boxesOf(button)].every((input) => input.checked) ? "Untick all" : "Tick all";
    }
  }

  const boxesOf = (inside) => inside.closest("section").querySelectorAll("input");

  function showTag(card) {
    const label = tags.get(skuOf(card));
    card.classList.toggle("done", label !== undefined);
    card.querySelector(".set").textContent = label === undefined ? "" : `→ ${label}`;
  }

  // Moving: one card at a time can be reached by Tab, the arrows lead to the others.

  function goTo(index, focus = true) {
    if (!cards.length) return;
    box(cards[current]).tabIndex = -1;
    current = Math.max(0, Math.min(cards.length - 1, index));
    box(cards[current]).tabIndex = 0;
    if (focus) {
      box(cards[current]).focus({ preventScroll: true });
      cards[current].scrollIntoView({ block: "nearest" });
    }
  }

  // The card that is nearest in the next row, or the one before, also across groups.
  function inNextRow(step) {
    const from = cards[current].getBoundingClientRect();
    let best = current;
    let row = null;
    for (let index = current + step; index >= 0 && index < cards.length; index += step) {
      const place = cards[index].getBoundingClientRect();
      if (Math.abs(place.top - from.top) < 1) continue;
      row ??= place.top;
      if (Math.abs(place.top - row) >= 1) break;
      const nearer = Math.abs(place.left - from.left) < Math.abs(cards[best].getBoundingClientRect().left - from.left);
      if (best === current || nearer) best = index;
    }
    return best;
  }

  function tickRange(from, to) {
    for (let index = Math.min(from, to); index <= Math.max(from, to); index += 1) box(cards[index]).checked = true;
  }

  function clearTicks() {
    for (const card of ticked()) box(card).checked = false;
    show();
  }

  function tickGroup(inside) {
    const inputs = [...boxesOf(inside)];
    const on = !inputs.every((input) => input.checked);
    for (const input of inputs) input.checked = on;
    show();
  }

  // Setting labels.

  function setTags(labelOf, done) {
    const some = targets();
    if (!some.length) return say("Tick some pictures first", true);
    const single = ticked().length === 0;
    let count = 0;
    for (const card of some) {
      const label = labelOf(card);
      if (label === null) continue;
      if (label === undefined) count += tags.delete(skuOf(card));
      else count += tags.set(skuOf(card), label) && 1;
      showTag(card);
    }
    for (const card of some) box(card).checked = false;
    keep();
    show();
    say(done(count));
    if (single && count && labelOf(some[0]) !== undefined) {
      const next = cards.findIndex((card, index) => index > current && !tags.has(skuOf(card)));
      if (next >= 0) goTo(next);
    }
    return undefined;
  }

  const setLabel = (label) => setTags(() => label, (count) => `${many(count)}: ${label}`);
  const setGuess = () => setTags((card) => JSON.parse(card.dataset.guess), (count) => `${many(count)} as guessed`);
  const setShop = () =>
    setTags((card) => JSON.parse(card.dataset.shop ?? "null"), (count) => `${many(count)} as the shop says`);
  const takeBack = () => setTags(() => undefined, (count) => `${many(count)} taken back`);

  // The label that was typed, whole or its beginning; null after saying why it is none.
  function typedLabel() {
    const plain = (text) => text.replace(/\s+/g, " ").trim().toLowerCase();
    const typed = plain(find("#label").value);
    const whole = labels.filter((label) => plain(label) === typed);
    const begun = typed ? labels.filter((label) => plain(label).startsWith(typed)) : [];
    if (whole.length === 1) return whole[0];
    if (begun.length === 1) return begun[0];
    if (!typed) say("Type a label first", true);
    else if (!begun.length) say(`No label begins with “${find("#label").value}”`, true);
    else say(`${begun.length} labels begin so: ${begun.slice(0, 5).join(", ")}`, true);
    return null;
  }

  // The CSV file (RFC 4180), and what a reload brings back.

  function csv() {
    const field = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    return [["sku", "label"], ...tags].map((row) => row.map(field).join(",") + "\r\n").join("");
  }

  function download() {
    if (!tags.size) return say("Nothing is set yet", true);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv;charset=utf-8" }));
    const now = new Date();
    const two = (number) => String(number).padStart(2, "0");
    const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
    link.download = `hangtag-labels-${day}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // not before the browser has read it
    return say(`${many(tags.size)} in ${link.download}`);
  }

  function keep() {
    try {
      localStorage.setItem(KEPT + document.body.dataset.page, JSON.stringify({ at: Date.now(), tags: [...tags] }));
    } catch {
      stored = false; // the browser keeps nothing for this page: it asks before it is closed
    }
  }

  function restore() {
    try {
      const oldest = Date.now() - KEPT_DAYS * 86_400_000;
      for (const key of Object.keys(localStorage).filter((name) => name.startsWith(KEPT))) {
        const { at, tags: saved } = JSON.parse(localStorage.getItem(key));
        if (key === KEPT + document.body.dataset.page) for (const [sku, label] of saved) tags.set(sku, label);
        else if (at < oldest) localStorage.removeItem(key);
      }
    } catch {
      stored = false;
    }
    cards.forEach(showTag);
  }

  // Mouse.

  find("main").addEventListener("mousedown", (event) => {
    if (event.shiftKey) event.preventDefault(); // else it would select text
  });

  find("main").addEventListener("click", (event) => {
    if (event.target.matches(".tick-all")) return tickGroup(event.target);
    const card = event.target.closest(".card");
    if (!card) return undefined;
    const index = cards.indexOf(card);
    if (!event.target.matches("input")) {
      event.preventDefault(); // the label's own click on its box carries no Shift in every browser
      if (!event.shiftKey) box(card).checked = !box(card).checked;
    }
    if (event.shiftKey) tickRange(anchor, index);
    anchor = index;
    goTo(index);
    return show();
  });

  // A screen reader may tick a box or move to it without a click.
  find("main").addEventListener("change", show);
  find("main").addEventListener("focusin", (event) => {
    const card = event.target.closest(".card");
    if (card && cards.indexOf(card) !== current) goTo(cards.indexOf(card), false);
  });

  // Buttons and the label's field.

  find("#set").addEventListener("submit", (event) => {
    event.preventDefault();
    const label = typedLabel();
    if (label === null) return;
    find("#label").value = "";
    if (typing || ticked().length) goTo(current);
    setLabel(label);
  });
  find("#label").addEventListener("blur", () => {
    typing = false;
  });
  for (const chip of document.querySelectorAll(".chip")) {
    chip.addEventListener("click", () => setLabel(JSON.parse(chip.dataset.label)));
  }
  find("#as-guessed").addEventListener("click", setGuess);
  find("#as-shop")?.addEventListener("click", setShop);
  find("#take-back").addEventListener("click", takeBack);
  find("#clear").addEventListener("click", clearTicks);
  find("#download").addEventListener("click", download);
  find("#help").addEventListener("click", () => find("#keys").showModal());

  // Keys.

  const steps = {
    ArrowRight: () => current + 1, l: () => current + 1,
    ArrowLeft: () => current - 1, h: () => current - 1,
    ArrowDown: () => inNextRow(1), j: () => inNextRow(1),
    ArrowUp: () => inNextRow(-1), k: () => inNextRow(-1),
    Home: () => 0, End: () => cards.length - 1,
  };
  const actions = {
    a: () => cards.length && tickGroup(cards[current]),
    g: setGuess, s: setShop, u: takeBack, d: download, Enter: download, Escape: clearTicks,
    "/": () => {
      typing = onCard();
      find("#label").focus();
    },
    "?": () => find("#keys").showModal(),
  };

  function move(step, event) {
    if (!cards.length) return;
    const before = current;
    const next = steps[step]();
    goTo(onCard() ? next : current); // the first key only shows where one is
    if (event.shiftKey && step.length > 1) {
      tickRange(before, current);
      anchor = current;
    }
    show();
  }

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || find("#keys").open) return;
    if (target.matches("#label")) {
      if (key === "Escape") goTo(current);
      return;
    }
    if (target.matches("button") && (key === "Enter" || key === " ")) return;
    const chip = /^[0-9]$/.test(key) && document.querySelectorAll(".chip")[(Number(key) + 9) % 10];
    if (key === " " && cards.length && (event.shiftKey || !onCard())) {
      if (event.shiftKey) tickRange(anchor, current);
      else box(cards[current]).checked = !box(cards[current]).checked;
      anchor = current;
      goTo(current);
      show();
    } else if (Object.hasOwn(steps, key)) move(key, event);
    else if (Object.hasOwn(actions, key)) actions[key]();
    else if (chip) chip.click();
    else return; // Space alone on a box: the browser ticks it
    event.preventDefault();
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && event.shiftKey && onCard()) event.preventDefault(); // some browsers tick a box only here
  });

  window.addEventListener("beforeunload", (event) => {
    if (!stored && tags.size) event.preventDefault();
  });

  restore();
  goTo(0, false);
  show();
  if (tags.size) say(`${many(tags.size)} set before the page was reloaded`);
})();
