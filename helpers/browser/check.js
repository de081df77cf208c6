// check.js PAGES MODULES [PICTURE]: opens the pages of tests/browser in Chromium, uses them, and takes pictures.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [pages, modules, picture] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
const puppeteer = require("puppeteer-core");
const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");

const WIDTHS = [360, 1280, 2560];
const SCHEMES = ["light", "dark"];

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--hide-scrollbars", "--disable-dev-shm-usage"],
});

const url = (name) => pathToFileURL(join(pages, `${name}.html`)).href;

/** Opens a page; what it says in the console, asks for or throws fails the case. */
async function open(name, { width = 1280, scheme = "light", scripts = true } = {}) {
  const page = await browser.newPage();
  const faults = [];
  page.on("console", (message) => faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => faults.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
  page.on("request", (request) => {
    if (request.url() !== url(name)) faults.push(`request: ${request.url().slice(0, 200)}`);
  });
  await page.setJavaScriptEnabled(scripts);
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(url(name));
  if (scripts) await page.waitForSelector(".frame");
  return { page, faults };
}

const text = (page, selector) => page.$eval(selector, (element) => element.textContent);
const frames = (page) => page.$$eval(".frame", (all) => all.map((frame) => frame.getAttribute("aria-label")));
const focused = (page) =>
  page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.id);
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function set(page, selector, value) {
  await page.$eval(
    selector,
    (element, value) => {
      element.value = value;
      element.dispatchEvent(new Event("input", { bubbles: true }));
      element.dispatchEvent(new Event("change", { bubbles: true }));
    },
    value,
  );
}

/** What begins or ends outside of the table or the drawing that it tells of. */
const cut = (page) =>
  page.$$eval("caption, .mark-name", (all) =>
    all
      .filter((of) => {
        const [inner, outer] = [of, of.closest(".scroll, figure")].map((part) => part.getBoundingClientRect());
        return inner.left < outer.left - 2 || inner.right > outer.right + 2;
      })
      .map((of) => of.textContent),
  );

const CASES = {
  async "a click zooms, the breadcrumb and Back go back"() {
    const { page, faults } = await open("normal");
    const whole = await frames(page);
    const second = (await page.$$(".frame"))[1];
    await second.click();
    assert.equal((await frames(page))[0], whole[1]);
    assert.match(await text(page, "#crumbs"), /^all/);
    await page.click("#crumbs button");
    assert.deepEqual(await frames(page), whole);
    await page.click("#back");
    assert.equal((await frames(page))[0], whole[1]);
    await page.click("#back");
    assert.deepEqual(await frames(page), whole);
    assert.equal(await page.$eval("#back", (back) => back.disabled), true);
    return { page, faults };
  },

  async "pointing at a box says its name, share and value"() {
    const { page, faults } = await open("normal");
    const box = (await page.$$(".frame"))[2];
    await box.hover();
    const hover = await text(page, "#hover");
    assert.match(hover, /[\d.]+ m?s, [\d.]+ % of the whole/);
    return { page, faults };
  },

  async "a search marks boxes and rows, and says the share"() {
    const { page, faults } = await open("normal");
    await page.keyboard.press("/");
    await page.keyboard.type("mallocgc");
    assert.match(await text(page, "#found"), /^\d+ found, in [\d.]+ % of the whole$/);
    const rows = await page.$$eval("#functions tbody th", (all) => all.map((row) => row.textContent));
    assert.ok(rows.length > 0 && rows.every((row) => row.includes("mallocgc")));
    const hits = await page.$$eval(".frame.hit", (all) => all.map((frame) => frame.getAttribute("aria-label")));
    assert.ok(hits.length > 0 && hits.every((hit) => hit.includes("mallocgc")));
    return { page, faults };
  },

  async "components, kinds and pods are switched"() {
    const { page, faults } = await open("normal");
    await page.select("#component", "virt-handler");
    const ofComponent = await frames(page);
    await page.select("#profile", "heap/whole");
    assert.match(await text(page, "#about"), /^Live heap: .* in 6 of 6 pods/);
    const ofHeap = await frames(page);
    assert.notDeepEqual(ofHeap, ofComponent);
    const pod = await page.$eval("#pod optgroup option", (option) => option.value);
    await page.select("#pod", pod);
    assert.match(await text(page, "#about"), /^Live heap: .* in virt-handler-/);
    assert.notDeepEqual(await frames(page), ofHeap);
    await page.select("#profile", "heap/growth");
    assert.ok((await page.$$(".frame.less, .frame.more")).length > 1, "nothing grew or shrank");
    return { page, faults };
  },

  async "an outlier leads to its own graph"() {
    const { page, faults } = await open("normal");
    await page.click("tr:has(.odd) a[data-pod]");
    assert.equal(await page.$eval("#component", (select) => select.value), "virt-handler");
    assert.match(await text(page, "#about"), /in virt-handler-75d96/);
    return { page, faults };
  },

  async "a leader is said to be one, and has its own graph"() {
    const { page, faults } = await open("normal");
    await page.select("#component", "virt-operator");
    const options = await page.$$eval("#pod optgroup option", (all) => all.map((of) => [of.value, of.textContent]));
    const leaders = options.filter(([, label]) => label.includes("(leader at the "));
    assert.equal(leaders.length, 2, JSON.stringify(options));
    await page.select("#pod", leaders[1][0]);
    assert.match(await text(page, "#about"), /^CPU time: .* in virt-operator-/);
    assert.ok((await frames(page)).length > 5);
    const marks = await page.$$eval("#pods a:has(.ring) title", (all) => all.map((title) => title.textContent));
    assert.ok(marks.length > 4 && marks.every((mark) => mark.includes(", leader")), marks.join("\n"));
    return { page, faults };
  },

  async "a difference to an earlier run is of what that had"() {
    const { page, faults } = await open("normal");
    assert.match(await text(page, "#comparison .verdict"), /^regression, confirmed: virt-controller live heap/);
    const labels = await page.$$eval("#comparison svg", (all) => all.map((svg) => svg.getAttribute("aria-label")));
    assert.equal(labels[0], "ratio 1.32, between 1.19 and 1.47, by 12 runs before");
    assert.match(
      labels[1],
      /^13 runs before, of which 12 count, median 295.6 MiB, this one 391.0 MiB; without a change/,
    );
    assert.match(await text(page, "#comparison tbody tr"), /×1.19 to ×1.47/);
    await page.select("#component", "virt-controller");
    const pod = await page.$eval("#pod optgroup option", (option) => option.value);
    await page.select("#pod", pod);
    await page.select("#profile", "cpu/difference");
    // A pod has no difference of its own.
    assert.deepEqual(await page.$$eval("#pod option", (all) => all.map((of) => of.textContent)), ["all pods together"]);
    assert.equal(
      await page.$eval("#graph", (graph) => graph.getAttribute("aria-label")),
      "Differential flame graph: virt-controller, Change of CPU time",
    );
    const about = await text(page, "#about");
    assert.match(about, / of run \S+ with 16.0 s, times 1.02 because its window was shorter\. /);
    assert.match(about, /Frames below 0.05 % of all that grew and shrank are folded/);
    assert.match(await text(page, "#about"), /^Change of CPU time: \+2.44 s in 2 pods with 18.8 s, and 2 pods of run/);
    assert.deepEqual((await frames(page)).slice(0, 3), [
      "all, +2.44 s, 14.9 %",
      "main.main, +2.44 s, 14.9 %",
      "kubevirt.io/kubevirt/pkg/virt-controller/watch/vmi.(*Controller).execute, +3.80 s, 23.2 %",
    ]);
    const classes = await page.$$eval(".frame", (all) => all.map((frame) => frame.className.split(" ")[2]));
    assert.equal(classes.filter((change) => change === "less").length, 2);
    await (await page.$$(".frame"))[2].hover();
    const base = /of what run 20261127t215100z-0b11d0 had, times 1.02/;
    assert.match(await text(page, "#hover"), base);
    assert.match(
      await text(page, "#functions caption"),
      /^Functions that grew or shrank the most, .*shares are of what run/,
    );
    assert.match(await text(page, "#functions caption"), base);
    await (await page.$$(".frame"))[2].click();
    await (await page.$$(".frame"))[1].hover();
    assert.match(await text(page, "#hover"), /, [\d.]+ % of the change that is shown/);
    const first = await page.$eval("#functions tbody tr", (row) => [...row.cells].map((cell) => cell.textContent));
    assert.deepEqual(first.slice(0, 2), ["+1.60 s", "9.8 %"]);
    await page.keyboard.press("/");
    await page.keyboard.type("mallocgc");
    assert.match(await text(page, "#found"), /^1 found, in [\d.]+ % of all that grew and shrank$/);
    await set(page, "#search", "");
    await page.select("#profile", "heap/growth");
    await (await page.$$(".frame"))[1].hover();
    assert.match(await text(page, "#hover"), / % of all that grew and shrank/);
    return { page, faults };
  },

  async "a redacted page has short names"() {
    const { page, faults } = await open("redacted");
    await page.select("#component", "virt-handler");
    const pods = await page.$$eval("#pod optgroup option", (all) => all.map((of) => of.textContent));
    assert.equal(pods.length, 12);
    assert.ok(
      pods.every((pod) => /^virt-handler-\d+$/.test(pod)),
      pods.join(),
    );
    assert.match(await text(page, "header .notice"), /^Names are replaced\./);
    return { page, faults };
  },

  async "a pod without a graph has its numbers and the command"() {
    const { page, faults } = await open("many");
    await page.select("#component", "virt-handler");
    const pod = await page.$eval("#pod optgroup[label=others] option", (option) => option.value);
    await page.select("#pod", pod);
    const about = await text(page, "#about");
    assert.match(about, /No flame graph of virt-handler-.*Live heap: .*iB.*top \S+ --kind cpu --pod virt-handler-/);
    assert.equal(await (await page.$("#functions")).isVisible(), true);
    const shares = await page.$$eval("#functions tbody tr", (rows) => rows.map((row) => row.cells[0].textContent));
    assert.ok(shares.length >= 10 && shares.every((share) => /s$/.test(share)), shares.join());
    return { page, faults };
  },

  async "the inverted view has who called"() {
    const { page, faults } = await open("normal");
    const whole = (await frames(page))[0];
    const top = await text(page, "#functions tbody th");
    await page.select("#view", "callers");
    const inverted = await frames(page);
    assert.equal(inverted[0], whole);
    assert.ok(inverted.slice(1).some((label) => label.startsWith(`${top}, `)));
    return { page, faults };
  },

  async "tables are sorted by their heads"() {
    const { page, faults } = await open("normal");
    const column = (at) =>
      page.$$eval(`#functions tbody tr > :nth-child(${at})`, (all) => all.map((cell) => cell.textContent));
    await page.click("#functions th:nth-child(4) button");
    const shares = (await column(4)).map((share) => Number.parseFloat(share));
    assert.deepEqual(
      shares,
      shares.toSorted((a, b) => b - a),
    );
    assert.equal(
      await page.$eval("#functions th:nth-child(4)", (head) => head.getAttribute("aria-sort")),
      "descending",
    );
    await page.click("#functions th:nth-child(5) button");
    const names = (await column(5)).map((name) => name.toLowerCase());
    assert.deepEqual(names, names.toSorted());
    return { page, faults };
  },

  async "everything is done by keyboard"() {
    const { page, faults } = await open("normal");
    const whole = await frames(page);
    await page.focus("#graph .frame");
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(page), whole[1]);
    assert.ok((await text(page, "#hover")).startsWith(whole[1].split(", ")[0]));
    await page.keyboard.press("ArrowRight");
    assert.notEqual(await focused(page), whole[1]);
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    assert.equal((await frames(page))[0], whole[1]);
    assert.equal(await focused(page), whole[1]);
    await page.keyboard.press("Backspace");
    assert.deepEqual(await frames(page), whole);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    assert.deepEqual(await frames(page), whole);
    return { page, faults };
  },

  async "names that are attacks do nothing"() {
    const { page, faults } = await open("attacks");
    for (const component of ["virt-api", "virt-handler"]) {
      await page.select("#component", component);
      await set(page, "#search", "<img");
      for (const frame of (await page.$$(".frame")).slice(0, 20)) await frame.hover();
      await (await page.$$(".frame"))[1].click();
    }
    assert.equal((await page.$$("img, iframe, object")).length, 0);
    return { page, faults };
  },

  async "its drawings are seen where styles are forbidden, too"() {
    const { page, faults } = await open("normal", { scripts: false });
    await page.$eval("style", (style) => style.remove());
    const drawn = (selector, property) =>
      page.$$eval(selector, (all, property) => all.map((of) => getComputedStyle(of)[property]), property);
    const boxes = await drawn(".flame rect", "fill");
    assert.ok(boxes.length > 100 && !boxes.includes("rgb(0, 0, 0)"), "a box is as black as its name");
    for (const selector of [
      ".strip line",
      ".line line",
      ".line polyline",
      ".ring",
      ".ratio line",
      ".nights polyline",
    ]) {
      const strokes = await drawn(selector, "stroke");
      assert.ok(strokes.length > 0 && !strokes.includes("none"), selector);
    }
    assert.ok((await drawn(".line polyline, .nights polyline, .ring", "fill")).every((fill) => fill === "none"));
    assert.ok(!(await drawn(".band", "fill")).includes("rgb(0, 0, 0)"), "a band hides what is drawn on it");
    const beside = await page.$$eval("small", (all) =>
      all.filter((small) => /\S$/.test(small.previousSibling?.textContent ?? "")).map((small) => small.textContent),
    );
    assert.deepEqual(beside, []);
    return { page, faults };
  },

  async "it is read without scripts"() {
    const { page, faults } = await open("normal", { scripts: false });
    assert.equal((await page.$$("figure.static svg.flame")).length, 4);
    const size = await (await page.$("figure.static svg.flame")).boundingBox();
    assert.ok(size.width > 1000 && size.height > 60, JSON.stringify(size));
    assert.ok((await page.$$("article table.top")).length > 20);
    assert.equal(await (await page.$("#viewer")).isVisible(), false);
    return { page, faults };
  },
};

for (const name of ["demo", "normal", "many", "missing", "redacted", "attacks"]) {
  for (const scheme of SCHEMES) {
    CASES[`${name}, ${scheme}: no violation of WCAG A or AA`] = async () => {
      const { page, faults } = await open(name, { scheme });
      // The page's own policy forbids scripts of others, so this one comes in by the debugger.
      await page.evaluate(axe);
      const found = await page.evaluate(() =>
        globalThis.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }),
      );
      const violations = found.violations.map(
        (of) =>
          `${of.id}: ${of.help}\n  ${of.nodes
            .slice(0, 4)
            .map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`)
            .join("\n  ")}`,
      );
      assert.deepEqual(violations, []);
      return { page, faults };
    };
    CASES[`${name}, ${scheme}: pictures, and nothing is wider than the window`] = async () => {
      let opened;
      for (const width of WIDTHS) {
        await opened?.page.close();
        opened = await open(name, { width, scheme });
        const { page } = opened;
        const wide = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        await page.screenshot({
          path: join(pages, `${name}-${width}-${scheme}.png`),
          fullPage: true,
          captureBeyondViewport: true,
        });
        assert.ok(wide <= 0, `${wide} pixels too wide at ${width}`);
        assert.deepEqual(await cut(page), [], `at ${width}`);
      }
      return opened;
    };
  }
}

/** How long a page takes to be there and to answer a search: printed, not judged. */
async function times(name) {
  const opens = [];
  const searches = [];
  for (let round = 0; round < 5; round += 1) {
    const begin = performance.now();
    const { page } = await open(name);
    opens.push(performance.now() - begin);
    searches.push(
      await page.evaluate(() => {
        const begin = performance.now();
        const search = document.getElementById("search");
        search.value = "decode";
        search.dispatchEvent(new Event("input"));
        document.getElementById("graph").getBoundingClientRect();
        return performance.now() - begin;
      }),
    );
    await page.close();
  }
  console.log(
    `${name}: opens in ${median(opens).toFixed(0)} ms, searches in ${median(searches).toFixed(0)} ms (medians of five)`,
  );
}

const words = (process.env.ONLY ?? "").split(",");
const failed = [];
for (const [name, run] of Object.entries(CASES)) {
  if (!words.some((word) => name.includes(word))) continue;
  try {
    const { page, faults } = await run();
    await page.close();
    assert.deepEqual(faults, []);
    console.log(`${name} ... ok`);
  } catch (error) {
    failed.push(name);
    console.log(`${name} ... FAILED\n${error.message}`);
  }
}
for (const name of ["normal", "many"]) await times(name);

if (picture) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1200, height: 820 });
  await page.goto(url("normal"));
  await page.waitForSelector(".frame");
  await page.select("#component", "virt-handler");
  await page.evaluate(() => scrollTo(0, document.getElementById("profiles").offsetTop - 10));
  await writeFile(picture, await page.screenshot({ optimizeForSpeed: false }));
}
await browser.close();
console.log(failed.length === 0 ? "all passed" : `${failed.length} failed: ${failed.join("; ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
