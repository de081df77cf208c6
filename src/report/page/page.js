// Fills the viewer from the page's data, and makes tables sortable. Everything that names of others end in is text.

const at = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  made.append(...content);
  return made;
}

function foreign(text) {
  return element("bdi", {}, text);
}

// Numbers, as the rest of the page has them.

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const TIMES = [
  ["ns", 1],
  ["µs", 1e3],
  ["ms", 1e6],
  ["s", 1e9],
];

function digits(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 9.995) return value.toFixed(2);
  if (size < 99.95) return value.toFixed(1);
  if (size < 999.5) return value.toFixed(0);
  return Math.round(value).toLocaleString("en-US");
}

function bytes(value) {
  if (Math.abs(value) < 1024) return `${value.toFixed(0)} B`;
  let unit = 0;
  while (Math.abs(value) >= 1023.5 && unit < BYTES.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${digits(value)} ${BYTES[unit]}`;
}

function time(value) {
  const size = Math.abs(value);
  const [unit, of] = TIMES.find(([, scale]) => size < 999.5 * scale) ?? TIMES[3];
  return `${digits(value / of)} ${unit}`;
}

function amount(value, graph) {
  const shown =
    graph.unit === "bytes" ? bytes(value) : graph.unit === "nanoseconds" ? time(value) : value.toLocaleString("en-US");
  const signed = graph.grows && value > 0 ? `+${shown}` : shown;
  return signed.replace("-", "−");
}

function percent(part, whole) {
  if (!whole) return "–";
  const share = (100 * part) / whole;
  const size = Math.abs(share);
  const places = size < 0.095 && size > 0 ? 2 : size < 99.95 ? 1 : 0;
  return `${size === 0 ? 0 : share.toFixed(places)} %`.replace("-", "−");
}

function short(name) {
  const end = name.search(/[([]/);
  const path = end < 0 ? name : name.slice(0, end);
  return name.slice(path.lastIndexOf("/") + 1);
}

// Tables.

const SCALES = {
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  PiB: 2 ** 50,
  ns: 1e-9,
  µs: 1e-6,
  ms: 1e-3,
};

function key(cell) {
  const text = cell.firstChild?.textContent.trim() ?? "";
  const number = /^[+−-]?[\d,]*\.?\d+/.exec(text);
  if (!number || cell.tagName === "TH") return text.toLowerCase();
  const unit = text.slice(number[0].length).trim().split("/")[0];
  return Number(number[0].replace("−", "-").replaceAll(",", "")) * (SCALES[unit] ?? 1);
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  // What has no value comes after what has one.
  if (typeof one !== typeof other) return typeof one === "number" ? 1 : -1;
  return one < other ? -1 : one > other ? 1 : 0;
}

function sort(table) {
  const heads = [...table.tHead.rows[0].cells];
  const column = heads.findIndex((head) => head.hasAttribute("aria-sort"));
  if (column < 0) return;
  const sign = heads[column].getAttribute("aria-sort") === "ascending" ? 1 : -1;
  const rows = [...table.tBodies[0].rows].map((row) => [key(row.cells[column]), row]);
  rows.sort(([one], [other]) => sign * compare(one, other));
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  for (const head of heads) {
    const button = element("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const first = table.tBodies[0].rows[0]?.cells[head.cellIndex];
      const isText = !first || first.tagName === "TH";
      const next = { ascending: "descending", descending: "ascending" }[before];
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", next ?? (isText ? "ascending" : "descending"));
      sort(table);
    });
  }
}

// Trees of calls.

function frame(name, origin, own, caller) {
  return { name, origin, own, caller, calls: [], total: own, width: Math.abs(own) };
}

function topDown(graph, data) {
  const path = [];
  const frames = graph.names.map((name, index) => {
    const depth = graph.depths[index];
    const made = frame(data.names[name], data.origins[name], graph.own[index], path[depth - 1]);
    path[depth] = made;
    made.caller?.calls.push(made);
    return made;
  });
  for (const of of frames.toReversed()) {
    if (of.caller) {
      of.caller.total += of.total;
      of.caller.width += of.width;
    }
  }
  return frames;
}

function inverted(frames) {
  const root = frame("all", "5", 0);
  const made = [root];
  for (const of of frames) {
    if (of.own === 0) continue;
    let here = root;
    let above = of;
    while (here) {
      here.total += of.own;
      here.width += Math.abs(of.own);
      if (!above.caller) break;
      // Frames that were folded are one, however many each stands for.
      const name = above.origin === "5" ? "(small frames)" : above.name;
      here.by ??= new Map();
      let next = here.by.get(name);
      if (!next) {
        next = frame(name, above.origin, 0, here);
        here.by.set(name, next);
        here.calls.push(next);
        made.push(next);
      }
      here = next;
      above = above.caller;
    }
  }
  for (const of of made) of.calls.sort((one, other) => other.width - one.width);
  return made;
}

// The viewer.

const MOST_ROWS = 48;
const ROW_HEIGHT = 20;
const NARROWEST = 2;

const state = { graph: null, root: null, zoom: null, history: [], query: "", drawn: new Map() };

function isHit(of) {
  return state.query !== "" && of.origin !== "5" && of.name.toLowerCase().includes(state.query);
}

/** What shares are of. */
function whole() {
  const { graph, root } = state;
  return graph.base?.total ?? (graph.grows ? root?.width : root?.total) ?? 0;
}

/** What that is called, and what widths are of. */
const ofWidths = ({ grows }) => (grows ? "all that grew and shrank" : "the whole");
const ofWhole = (graph) =>
  graph.base ? ["what run ", foreign(graph.base.run), ` had${graph.base.times}`] : [ofWidths(graph)];

function said(of) {
  return `${amount(of.total, state.graph)}, ${percent(of.total, whole())}`;
}

function box(of, x, depth) {
  const change = !state.graph.grows || of.origin === "5" ? "" : of.total < 0 ? " less" : " more";
  const made = element("div", {
    class: `frame o${of.origin}${change}${isHit(of) ? " hit" : state.query ? " dim" : ""}`,
    role: "treeitem",
    tabindex: depth === 0 ? "0" : "-1",
    "aria-level": String(depth + 1),
    "aria-label": `${of.name}, ${said(of)}`,
  });
  made.textContent = short(of.name);
  made.style.left = `${100 * x}%`;
  made.style.width = `${(100 * of.width) / state.zoom.width}%`;
  made.style.top = `${depth * ROW_HEIGHT}px`;
  return made;
}

function draw() {
  const graph = at("graph");
  const hadFocus = graph.contains(document.activeElement);
  const boxes = [];
  const left = { narrow: 0, deep: 0 };
  const waiting = [[state.zoom, 0, 0]];
  let rows = 0;
  state.drawn = new Map();
  while (waiting.length > 0) {
    const [of, x, depth] = waiting.pop();
    const width = (of.width / state.zoom.width) * graph.clientWidth;
    if (depth > 0 && !(width >= NARROWEST)) {
      left.narrow += 1;
      continue;
    }
    if (depth >= MOST_ROWS) {
      left.deep += 1;
      continue;
    }
    rows = Math.max(rows, depth + 1);
    const made = box(of, x, depth);
    state.drawn.set(made, of);
    of.box = made;
    boxes.push(made);
    let next = x;
    const below = [];
    for (const call of of.calls) {
      below.push([call, next, depth + 1]);
      next += call.width / state.zoom.width;
    }
    waiting.push(...below.reverse());
  }
  graph.style.height = `${rows * ROW_HEIGHT}px`;
  graph.replaceChildren(...boxes);
  const notes = [];
  if (left.narrow) notes.push(`${left.narrow.toLocaleString("en-US")} boxes are too narrow to be seen`);
  if (left.deep) notes.push(`${left.deep.toLocaleString("en-US")} more are deeper than ${MOST_ROWS} rows`);
  at("unseen").textContent = notes.length > 0 ? `${notes.join(", and ")}: zoom in.` : "";
  crumbs();
  if (hadFocus) boxes[0]?.focus();
}

function crumbs() {
  const path = [];
  for (let of = state.zoom; of; of = of.caller) path.unshift(of);
  const shown = path.length > 6 ? [path[0], null, ...path.slice(-4)] : path;
  const items = shown.map((of) => {
    if (!of) return element("li", {}, "…");
    if (of === state.zoom) return element("li", { "aria-current": "true" }, foreign(short(of.name)));
    const button = element("button", { type: "button" }, foreign(short(of.name)));
    button.addEventListener("click", () => zoom(of));
    return element("li", {}, button);
  });
  at("crumbs").replaceChildren(...items);
  at("back").disabled = state.history.length === 0;
}

function zoom(of) {
  if (!of || of === state.zoom || of.width === 0) return;
  state.history.push(state.zoom);
  state.zoom = of;
  draw();
}

function back() {
  const before = state.history.pop();
  if (before) {
    state.zoom = before;
    draw();
  }
}

function hover(of) {
  const { graph, zoom: shown } = state;
  const parts = [foreign(of.name), element("strong", {}, ` ${said(of)} of `, ...ofWhole(graph))];
  if (shown.caller)
    parts.push(`, ${percent(of.width, shown.width)} of ${graph.grows ? "the change that" : "what"} is shown`);
  if (at("view").value === "callees" && of.origin !== "5") parts.push(`; itself ${amount(of.own, graph)}`);
  at("hover").replaceChildren(...parts);
}

function search() {
  state.query = at("search").value.trim().toLowerCase();
  fillTable();
  if (!state.root) return;
  draw();
  if (state.query === "") {
    at("found").textContent = "";
    return;
  }
  let [frames, width] = [0, 0];
  const waiting = [[state.root, false]];
  while (waiting.length > 0) {
    const [of, isInside] = waiting.pop();
    const hit = isHit(of);
    frames += hit ? 1 : 0;
    // A function below one that was found is in its width already.
    width += hit && !isInside ? of.width : 0;
    for (const call of of.calls) waiting.push([call, isInside || hit]);
  }
  at("found").textContent =
    `${frames.toLocaleString("en-US")} found, in ${percent(width, state.root.width)} of ${ofWidths(state.graph)}`;
}

function fillTable() {
  const { graph, data } = state;
  const rows = [];
  let hidden = 0;
  for (const { name, own, total } of graph.top) {
    if (state.query && !data.names[name].toLowerCase().includes(state.query)) {
      hidden += 1;
      continue;
    }
    const find = element("button", { type: "button", title: "Search for it" }, foreign(data.names[name]));
    find.addEventListener("click", () => {
      at("search").value = data.names[name];
      search();
    });
    rows.push(
      element(
        "tr",
        {},
        element("td", {}, amount(own, graph)),
        element("td", {}, percent(own, whole())),
        element("td", {}, amount(total, graph)),
        element("td", {}, percent(total, whole())),
        element("th", { scope: "row" }, find),
      ),
    );
  }
  const table = at("functions");
  const most = graph.grows ? "that grew or shrank the most, by themselves" : "with the most of their own";
  table.caption.replaceChildren(
    `Functions ${most} and together with what they called; shares are of `,
    ...ofWhole(graph),
    hidden ? `; ${hidden} that do not match the search are hidden` : "",
  );
  table.tBodies[0].replaceChildren(...rows);
  sort(table);
}

function command(pod) {
  const [kind] = at("profile").value.split("/");
  const name = state.data.pods[pod][1];
  const quoted = /^[\w./:=-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
  return `cluster-profiler-job top ${state.data.run} --kind ${kind} --pod ${quoted}`;
}

function find(component, profile, pod) {
  return state.data.graphs.find(
    (graph) => graph.component === component && graph.profile === profile && graph.pod === pod,
  );
}

function podNumbers(pod) {
  const row = document.querySelector(`tr[data-row="${pod}"]`);
  if (!row) return "";
  const heads = [...row.closest("table").tHead.rows[0].cells].map((head) => head.textContent.trim());
  const cells = [...row.cells].slice(1, -1);
  return cells.map((cell, index) => `${heads[index + 1]}: ${cell.textContent.trim()}`).join("; ");
}

function show() {
  const [component, profile] = [at("component").value, at("profile").value];
  const pod = at("pod").value === "" ? undefined : Number(at("pod").value);
  const graph = find(component, profile, pod) ?? { ...find(component, profile, undefined), pod, names: [], top: [] };
  const about = at("about");
  state.graph = graph;
  state.history = [];
  const isWhole = graph.names.length > 0;
  at("stage").hidden = !isWhole;
  at("functions").parentElement.hidden = graph.top.length === 0;
  document.querySelector("#stage .legend").hidden = graph.grows;
  if (isWhole) {
    const frames = topDown(graph, state.data);
    state.root = (at("view").value === "callers" ? inverted(frames) : frames)[0];
    state.zoom = state.root;
    const sort = graph.base ? "Differential flame" : "Flame";
    at("graph").setAttribute("aria-label", `${sort} graph: ${component}, ${graph.title}`);
    const of = pod === undefined ? graph.coverage : state.data.pods[pod][1];
    const grown = graph.grows ? " Widths are what grew, orange, and what shrank, blue and hatched, added up." : "";
    const cut = graph.cut
      ? ` Of ${graph.cut.toLocaleString("en-US")} stacks the innermost functions are left out, for there were too many.`
      : "";
    about.replaceChildren(
      `${graph.title}: ${amount(state.root.total, graph)} in `,
      foreign(of),
      `. Frames below ${percent(graph.share, 1)} of ${ofWidths(graph)} are folded together.${grown}${cut}`,
    );
  } else {
    state.root = null;
    about.replaceChildren(
      "No flame graph of ",
      foreign(state.data.pods[pod][1]),
      ` is in this page. ${podNumbers(pod)}. Its functions: `,
      element("code", {}, command(pod)),
    );
  }
  search();
}

function options(select, values, chosen) {
  const before = chosen ?? select.value;
  select.replaceChildren(...values);
  const all = [...select.options];
  select.value = all.some((option) => option.value === before) ? before : all[0].value;
}

function option(value, label) {
  return element("option", { value }, label);
}

function fillProfiles(chosen) {
  const component = at("component").value;
  const graphs = state.data.graphs.filter((graph) => graph.component === component && graph.pod === undefined);
  options(
    at("profile"),
    graphs.map((graph) => option(graph.profile, graph.title)),
    chosen,
  );
}

function fillPods(chosen) {
  const [component, profile] = [at("component").value, at("profile").value];
  const groups = { graph: [], other: [] };
  // A difference is of all pods of both runs: a pod has none to be held against.
  const isDifference = find(component, profile, undefined).base !== undefined;
  state.data.pods.forEach(([of, pod, lead], index) => {
    if (of !== component || isDifference) return;
    const name = lead ? `${pod} (${lead})` : pod;
    const hasGraph = find(component, profile, index)?.names.length > 0;
    groups[hasGraph ? "graph" : "other"].push(option(String(index), name));
  });
  const made = [option("", "all pods together")];
  if (groups.graph.length) made.push(element("optgroup", { label: "with a graph of their own" }, ...groups.graph));
  if (groups.other.length) made.push(element("optgroup", { label: "others" }, ...groups.other));
  options(at("pod"), made, chosen);
}

function choose(component, profile, pod) {
  at("component").value = component;
  fillProfiles(profile);
  fillPods(pod);
  show();
}

const KEYS = {
  ArrowUp: (of) => of.caller,
  ArrowDown: (of) => of.calls[0],
  ArrowLeft: (of) => of.caller?.calls[of.caller.calls.indexOf(of) - 1],
  ArrowRight: (of) => of.caller?.calls[of.caller.calls.indexOf(of) + 1],
  Home: () => state.zoom,
};

function press(event) {
  const of = state.drawn.get(event.target);
  if (!of || event.ctrlKey || event.metaKey || event.altKey) return;
  if (KEYS[event.key]) {
    const to = KEYS[event.key](of)?.box;
    if (state.drawn.has(to)) {
      event.target.tabIndex = -1;
      to.tabIndex = 0;
      to.focus();
    }
  } else if (event.key === "Enter" || event.key === " ") zoom(of);
  else if (event.key === "Backspace") back();
  else if (event.key === "Escape") zoom(state.root);
  else return;
  event.preventDefault();
}

function listen() {
  at("component").addEventListener("change", () => choose(at("component").value, at("profile").value, ""));
  at("profile").addEventListener("change", () => choose(at("component").value, at("profile").value, at("pod").value));
  at("pod").addEventListener("change", show);
  at("view").addEventListener("change", show);
  at("search").addEventListener("input", search);
  at("back").addEventListener("click", back);
  const graph = at("graph");
  graph.addEventListener("click", (event) => zoom(state.drawn.get(event.target)));
  graph.addEventListener("keydown", press);
  for (const kind of ["mouseover", "focusin"]) {
    graph.addEventListener(kind, (event) => {
      const of = state.drawn.get(event.target);
      if (of) hover(of);
    });
  }
  let width = graph.clientWidth;
  new ResizeObserver(() => {
    if (state.root && graph.clientWidth !== width) draw();
    width = graph.clientWidth;
  }).observe(graph);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    event.preventDefault();
    at("search").focus();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-pod]");
    if (link) choose(state.data.pods[link.dataset.pod][0], link.dataset.profile, link.dataset.pod);
  });
}

async function load() {
  const packed = Uint8Array.from(atob(at("data").textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  state.data = JSON.parse(await new Response(stream).text());
  for (const graph of state.data.graphs) {
    const one = graph.one ?? 1;
    const [names, own, totals] = graph.top;
    graph.own = graph.own.map((value) => value * one);
    graph.top = names.map((name, row) => ({ name, own: own[row] * one, total: totals[row] * one }));
  }
}

async function start() {
  document.querySelectorAll("table.sortable").forEach(makeSortable);
  await load();
  const components = [...new Set(state.data.graphs.map((graph) => graph.component))];
  if (components.length === 0) return;
  document.documentElement.classList.add("scripted");
  for (const details of document.querySelectorAll("article details")) details.open = false;
  at("viewer").hidden = false;
  options(
    at("component"),
    components.map((name) => option(name, name)),
  );
  listen();
  choose(components[0], "", "");
}

start();
