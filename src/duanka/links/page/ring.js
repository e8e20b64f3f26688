"use strict";
// Looks things up in the data of the page: which cards are in what is chosen, and what they share with the rest.
(() => {
  const svg = document.getElementById("picture");
  const panel = document.getElementById("chosen");
  const tip = document.querySelector(".tip");
  const threads = svg.querySelector(".threads");
  const MOST_THREADS = 40, PAGE = 60;
  const SVG = "http://www.w3.org/2000/svg";
  let read = null;

  // Read when something is first asked: until then the page only shows.
  function data() {
    if (read) return read;
    const d = JSON.parse(document.getElementById("data").textContent);
    const count = d.names.length;
    d.groupsOf = Array.from({ length: count }, () => []);
    d.cardsOf = d.groups.map(() => []);
    d.member.forEach((card, i) => {
      d.groupsOf[card].push(d.of[i]);
      d.cardsOf[d.of[i]].push(card);
    });
    d.with = new Map();
    for (let i = 0; i < d.contacts.length; i += 3) {
      const [one, other, calls] = d.contacts.slice(i, i + 3);
      for (const [from, to] of [[one, other], [other, one]]) {
        if (!d.with.has(from)) d.with.set(from, new Map());
        const known = d.with.get(from);
        known.set(to, Math.max(known.get(to) || 0, calls));
      }
    }
    d.nodeOf = new Map();
    for (const [id, [, , groups, people]] of Object.entries(d.nodes)) {
      groups.forEach((group) => d.nodeOf.set("g" + group, id));
      people.forEach((card) => d.nodeOf.set("c" + card, id));
    }
    d.sharing = new Map();
    d.isLooked = new Set(d.looked);
    d.isSeed = new Set(d.seeds);
    d.place_ = new Map(d.clusters.map(([id], i) => [id, i]));
    read = d;
    return d;
  }

  const number = (n) => n.toLocaleString("en-US");
  const word = (name, n) => data().words[name].replace("{n}", n === undefined ? "" : number(n));
  const when = (minutes) =>
    new Date((data().begins + minutes) * 60000).toISOString().slice(0, 16).replace("T", " ");

  function cardsIn(id) {
    const d = data();
    if (d.place_.has(id)) {
      const at = d.place_.get(id);
      return d.names.map((_, card) => card).filter((card) => d.supply[card] === at || d.place[card] === at);
    }
    const [, , groups, people] = d.nodes[id];
    const cards = new Set(people);
    groups.forEach((group) => d.cardsOf[group].forEach((card) => cards.add(card)));
    return [...cards].sort((a, b) => a - b);
  }

  // What the cards of `id` share: per node and cluster, how many of them it has too.
  function shared(id, cards) {
    const d = data();
    if (d.sharing.has(id)) return d.sharing.get(id);
    const count = new Map();
    const add = (other) => other !== undefined && other !== id && count.set(other, (count.get(other) || 0) + 1);
    for (const card of cards) {
      const near = new Set();
      d.groupsOf[card].forEach((group) => near.add(d.nodeOf.get("g" + group)));
      near.add(d.nodeOf.get("c" + card));
      for (const at of [d.supply[card], d.place[card]]) if (at >= 0) near.add(d.clusters[at][0]);
      for (const other of (d.with.get(card) || new Map()).keys()) {
        const person = d.nodeOf.get("c" + other);
        if (person) near.add(person);
      }
      near.forEach(add);
    }
    if (d.nodes[id] && d.nodes[id][3].length) {
      // of a person: whom they call, by the groups of those cards
      for (const card of cards)
        for (const other of (d.with.get(card) || new Map()).keys()) {
          d.groupsOf[other].forEach((group) => add(d.nodeOf.get("g" + group)));
          if (d.place[other] >= 0) add(d.clusters[d.place[other]][0]);
        }
    }
    d.sharing.set(id, [...count].sort((a, b) => b[1] - a[1]));
    return d.sharing.get(id);
  }

  const nameOf = (id) => (data().place_.has(id) ? data().clusters[data().place_.get(id)][1] : data().nodes[id][0]);
  const mark = (id) => svg.querySelector(`[data-id="${id}"]`);

  function middle(id) {
    const box = (mark(id).querySelector(":not(title)") || mark(id)).getBBox();
    return [box.x + box.width / 2, box.y + box.height / 2];
  }

  function light(id) {
    threads.replaceChildren();
    svg.querySelectorAll(".near, .here").forEach((lit) => lit.classList.remove("near", "here"));
    svg.classList.toggle("dim", Boolean(id));
    if (!id) return;
    mark(id).classList.add("here");
    const near = shared(id, cardsIn(id)), d = data();
    const most = near.length ? near[0][1] : 1;
    const [x, y] = middle(id);
    let drawn = 0;
    for (const [other, n] of near) {
      mark(other).classList.add("near");
      if (d.place_.has(other) || drawn++ >= MOST_THREADS) continue;
      const [to, down] = middle(other), half = (to - x) / 2;
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", `M${x} ${y}C${x + half} ${y} ${to - half} ${down} ${to} ${down}`);
      path.setAttribute("stroke", d.colours[d.nodes[other][1]]);
      path.setAttribute("stroke-width", 0.8 + 4 * Math.sqrt(n / most));
      threads.append(path);
    }
    svg.querySelectorAll(".flow, .line").forEach((line) => {
      if (line.dataset.one === id || line.dataset.other === id) line.classList.add("near");
    });
  }

  function made(tag, text, kind) {
    const element = document.createElement(tag);
    if (text) element.textContent = text;
    if (kind) element.className = kind;
    return element;
  }

  function link(text, act) {
    const button = made("button", text, "go");
    button.type = "button";
    button.addEventListener("click", act);
    return button;
  }

  function reason(card) {
    const d = data();
    return d.reasons[d.reason[card]].replace("\u0001", d.bys[d.by[card]]);
  }

  function line(card) {
    const d = data(), item = made("li");
    item.append(link(d.names[card], () => showCard(card)));
    item.append(` ${d.roles[d.role[card]]} · ${(d.certainty[card] / 1000).toFixed(2)} `);
    if (d.isSeed.has(card)) item.append(made("strong", word("seed")), " ");
    if (d.isLooked.has(card)) item.append(made("span", word("look"), "look"));
    item.append(made("span", reason(card), "why"));
    return item;
  }

  // The first of `many` items, and a button for more.
  function listed(many, item) {
    const list = made("ul"), holder = made("div");
    let shown = 0;
    const next = link("", () => more());
    function more() {
      many.slice(shown, shown + PAGE).forEach((one) => list.append(item(one)));
      shown = Math.min(shown + PAGE, many.length);
      next.textContent = word("more", Math.min(PAGE, many.length - shown));
      next.hidden = shown >= many.length;
    }
    more();
    holder.append(list, next);
    return holder;
  }

  let chosen = null;
  function show(id) {
    chosen = id;
    light(id);
    const cards = cardsIn(id);
    panel.replaceChildren(made("h3", nameOf(id)), made("p", word("cards", cards.length), "quiet"));
    const near = shared(id, cards).slice(0, 12);
    if (near.length) {
      panel.append(made("h4", word("linked")));
      panel.append(
        listed(near, ([other, n]) => {
          const item = made("li");
          item.append(link(nameOf(other), () => show(other)), ` ${word("shared", n)}`);
          return item;
        }),
      );
    }
    panel.append(made("h4", word("members")), listed(cards, line));
    panel.parentElement.scrollTop = 0;
  }

  function showCard(card) {
    const d = data();
    const own = d.nodeOf.get("c" + card);
    const groups = d.groupsOf[card];
    chosen = own || null;
    const heading = made("h3", d.names[card]);
    const facts = [`${d.roles[d.role[card]]} · ${word("certainty")} ${(d.certainty[card] / 1000).toFixed(2)}`];
    if (d.sites[d.site[card]]) facts.push(d.sites[d.site[card]]);
    if (d.opened[card] !== null) facts.push(`${word("opened")} ${when(d.opened[card])} ${d.outlets[d.outlet[card]]}`);
    facts.push(
      d.first[card] === null ? word("unused") : `${word("used")} ${when(d.first[card])} – ${when(d.last[card])}`,
    );
    panel.replaceChildren(heading, ...facts.map((fact) => made("p", fact, "quiet")), made("p", reason(card)));
    if (groups.length) {
      panel.append(made("h4", word("groups")));
      panel.append(
        listed(groups, (group) => {
          const item = made("li"), id = d.nodeOf.get("g" + group);
          item.append(id ? link(d.groups[group][0], () => show(id)) : d.groups[group][0]);
          item.append(` ${word("cards", d.cardsOf[group].length)}`);
          return item;
        }),
      );
    }
    const circle = [...(d.with.get(card) || [])].sort((a, b) => b[1] - a[1]);
    if (circle.length) {
      panel.append(made("h4", word("contacts")));
      panel.append(
        listed(circle, ([other, calls]) => {
          const item = line(other);
          item.firstChild.after(` ${word("calls", calls)} ·`);
          return item;
        }),
      );
    }
    light(null);
    svg.classList.add("dim");
    const at = [d.supply[card], d.place[card]].filter((place) => place >= 0).map((place) => d.clusters[place][0]);
    for (const id of [own, ...at, ...groups.map((group) => d.nodeOf.get("g" + group))])
      if (id) mark(id).classList.add("near");
    panel.parentElement.scrollTop = 0;
  }

  // Pointing shows for a moment, choosing stays.
  const target = (event) => event.target.closest?.("[data-id]");
  svg.addEventListener("pointerover", (event) => {
    const over = target(event);
    if (!over || dragging) return;
    light(over.dataset.id);
    tip.textContent = over.getAttribute("aria-label");
    tip.hidden = false;
  });
  svg.addEventListener("pointermove", (event) => {
    if (tip.hidden) return;
    const board = svg.parentElement.getBoundingClientRect();
    const x = event.clientX - board.left;
    tip.style.left = `${x > board.width / 2 ? Math.max(x - tip.offsetWidth - 12, 0) : x + 14}px`;
    tip.style.top = `${event.clientY - board.top + 16}px`;
  });
  svg.addEventListener("pointerout", (event) => {
    if (!target(event)) return;
    tip.hidden = true;
    light(chosen);
  });
  svg.addEventListener("click", (event) => {
    if (moved) return;
    const on = target(event);
    if (on) show(on.dataset.id);
    else clear();
  });
  function clear() {
    chosen = null;
    light(null);
  }

  // One stop for the tabulator; arrows go from mark to mark.
  const marks = [...svg.querySelectorAll("[data-id]")];
  svg.addEventListener("keydown", (event) => {
    const at = marks.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step && marks.length) {
      const next = marks[(at + step + marks.length) % marks.length];
      next.focus();
      light(next.dataset.id);
    } else if ((event.key === "Enter" || event.key === " ") && at >= 0) show(marks[at].dataset.id);
    else if (event.key === "Escape") clear();
    else return;
    event.preventDefault();
  });

  // Zoom and pan.
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  let view = [0, 0, width, height], dragging = null, moved = false;
  function look([x, y, w, h]) {
    const wide = Math.min(Math.max(w, width / 12), width), tall = (wide * height) / width;
    view = [Math.min(Math.max(x, 0), width - wide), Math.min(Math.max(y, 0), height - tall), wide, tall];
    svg.setAttribute("viewBox", view.join(" "));
    svg.classList.toggle("moved", wide < width);
  }
  function zoom(by, px = 0.5, py = 0.5) {
    const [x, y, w, h] = view;
    look([x + w * px * (1 - by), y + h * py * (1 - by), w * by, h * by]);
  }
  document.querySelector(".zoom").addEventListener("click", (event) => {
    const how = event.target.dataset.zoom;
    if (how === "whole") look([0, 0, width, height]);
    else if (how) zoom(how === "in" ? 0.7 : 1 / 0.7);
  });
  svg.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = svg.getBoundingClientRect();
      zoom(event.deltaY < 0 ? 0.85 : 1 / 0.85, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    },
    { passive: false },
  );
  svg.addEventListener("pointerdown", (event) => {
    moved = false;
    if (view[2] < width) dragging = [event.clientX, event.clientY, view];
  });
  addEventListener("pointermove", (event) => {
    if (!dragging) return;
    const [x, y, from] = dragging, scale = from[2] / svg.getBoundingClientRect().width;
    if (Math.hypot(event.clientX - x, event.clientY - y) > 4) moved = true;
    look([from[0] - (event.clientX - x) * scale, from[1] - (event.clientY - y) * scale, from[2], from[3]]);
  });
  addEventListener("pointerup", () => (dragging = null));

  // Find by any part of a number or a name.
  const field = document.getElementById("find");
  field.form.addEventListener("submit", (event) => event.preventDefault());
  field.addEventListener("input", () => {
    const d = data(), wanted = field.value.trim().toLowerCase();
    if (!wanted) return;
    const things = [...marks.map((one) => one.dataset.id)].filter((id) => nameOf(id).toLowerCase().includes(wanted));
    const cards = d.names.map((_, card) => card).filter((card) => d.names[card].toLowerCase().includes(wanted));
    const found = things.length + cards.length;
    panel.replaceChildren(made("p", found ? word("found", found) : word("nothing"), "quiet"));
    if (things.length)
      panel.append(
        listed(things, (id) => {
          const item = made("li");
          item.append(link(nameOf(id), () => show(id)));
          return item;
        }),
      );
    if (cards.length) panel.append(listed(cards, line));
  });
  document.documentElement.dataset.ready = "yes";
})();
