// Problems of the page that is shown, as sentences; an empty list is what we want. WCAG 2.2, level AA.
() => {
  const problems = [];
  const say = (rule, element) => problems.push(`${rule}: ${element.outerHTML.slice(0, 140)}`);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    && !element.closest(".hidden, details:not([open]) > :not(summary)");
  const named = (element) => {
    const by = element.getAttribute("aria-labelledby");
    if (by) return by.split(" ").every((id) => document.getElementById(id)?.textContent.trim());
    return (element.getAttribute("aria-label") || element.textContent || "").trim() || [...(element.labels || [])].some((label) => label.textContent.trim());
  };

  if (!document.documentElement.lang) say("the page has no language", document.documentElement);
  if (all("h1").length !== 1) say("there is not one h1", document.body);
  let level = 0;
  for (const heading of all("h1, h2, h3, h4, h5, h6")) {
    const here = Number(heading.tagName[1]);
    if (here > level + 1) say("a level of headings is skipped", heading);
    if (!heading.textContent.trim()) say("a heading is empty", heading);
    level = here;
  }
  for (const landmark of ["header", "main", "nav", "footer"]) if (!all(landmark).length) say(`no ${landmark}`, document.body);
  const labels = all("nav").map((nav) => nav.getAttribute("aria-label"));
  if (new Set(labels).size !== labels.length || labels.includes(null)) say("navigations are not told apart", all("nav")[0]);
  const ids = all("[id]").map((element) => element.id);
  for (const id of ids.filter((one, index) => ids.indexOf(one) !== index)) say(`an id is used twice: ${id}`, document.getElementById(id));

  for (const image of all("img")) if (!image.hasAttribute("alt")) say("an image has no alternative", image);
  for (const drawing of all("svg")) {
    if (drawing.getAttribute("aria-hidden") !== "true" && !(drawing.getAttribute("role") && named(drawing))) say("a drawing has no name", drawing);
  }
  for (const table of all("table")) {
    if (!table.caption?.textContent.trim()) say("a table has no caption", table);
    if (!table.querySelector("th")) say("a table has no header", table);
    const width = [...table.rows[0].cells].length;
    for (const row of table.rows) if (row.cells.length !== width) say("a row is of another width", row);
  }
  for (const header of all("th")) {
    if (!header.scope) say("a header has no scope", header);
    if (!header.textContent.trim()) say("a header is empty", header);
  }
  for (const control of all("a, button, input:not([type=hidden]), select, summary, [role=region]")) {
    if (!named(control)) say("a control has no name", control);
  }
  for (const region of all(".scroll, .graph, pre")) {
    if (region.scrollWidth > region.clientWidth + 1 || region.scrollHeight > region.clientHeight + 1) {
      if (region.tabIndex < 0 && !region.querySelector("a, button, input, summary")) say("what scrolls cannot be reached by keyboard", region);
    }
  }

  const parse = (text) => {
    const numbers = text.match(/-?[\d.]+(e-?\d+)?/g).map(Number);
    const scale = text.startsWith("color(srgb") ? 255 : 1;
    return [numbers[0] * scale, numbers[1] * scale, numbers[2] * scale, numbers[3] ?? 1];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
  const luminance = (color) => {
    const [r, g, b] = color.map((one) => { const c = one / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const behind = (element) => {
    const layers = [];
    for (let here = element; here; here = here.parentElement) {
      const color = parse(getComputedStyle(here).backgroundColor);
      layers.push(color);
      if (color[3] === 1) break;
    }
    let color = [255, 255, 255];
    for (const layer of layers.reverse()) color = over(layer, color);
    const box = element.closest("g.step");
    return box ? parse(getComputedStyle(box.querySelector(element.closest("a") ? ".hot" : "rect")).fill).slice(0, 3) : color;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let looked = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !shown(element) || ["TITLE", "DESC", "title", "desc", "OPTION"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ground = behind(element);
    const color = over(parse(element instanceof SVGElement ? style.fill : style.color), ground);
    const found = contrast(color, ground);
    looked += 1;
    if (found < (large ? 3 : 4.5)) say(`contrast ${found.toFixed(2)}`, element);
    if (size < 10) say(`text of ${size}px`, element);
  }
  if (looked < 10) say("hardly any text was looked at", document.body);
  for (const graphic of all("path.line, line.axis, line.level, rect.hot, .glyph, input:not([type=hidden]), select, button")) {
    if (!shown(graphic)) continue;
    const style = getComputedStyle(graphic);
    const frame = graphic instanceof SVGElement ? graphic.classList.contains("hot") ? getComputedStyle(graphic.closest("g").querySelector("rect")).stroke : style.stroke : style.borderTopColor;
    const holder = graphic instanceof SVGElement ? graphic.closest("svg").parentElement : graphic.parentElement;
    if (graphic.type === "checkbox") continue; // drawn by the browser itself
    const found = contrast(parse(frame).slice(0, 3), behind(holder));
    if (found < 3) say(`contrast of a graphic ${found.toFixed(2)}`, graphic);
  }

  const targets = all("a, button, summary, select, input:not([type=hidden]):not([type=checkbox]), label:has(> input[type=checkbox])").filter(shown)
    .map((element) => ({ element, box: element.getBoundingClientRect() })).filter(({ box }) => box.width && box.height);
  for (const { element, box } of targets) {
    if (box.width >= 24 && box.height >= 24) continue;
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    for (const other of targets) {
      if (other.element === element || element.contains(other.element) || other.element.contains(element)) continue;
      const dx = Math.max(other.box.left - x, 0, x - other.box.right), dy = Math.max(other.box.top - y, 0, y - other.box.bottom);
      const inLine = element.closest("p, dd, li p, td") && other.element.closest("p, dd, td") === element.closest("p, dd, td") && !element.closest("td > div");
      if (Math.hypot(dx, dy) < 12 && !inLine) { say("a target is smaller than 24 px and too near to another", element); break; }
    }
  }
  return problems;
}
