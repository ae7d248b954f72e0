"use strict";
for (const group of document.querySelectorAll(".tc-steps")) {
  const steps = [...group.querySelectorAll(".tc-step")];
  const [previous, next] = [group.querySelector(".tc-previous"), group.querySelector(".tc-next")];
  const position = group.querySelector(".tc-position");
  let current = 0;
  const show = (index) => {
    current = Math.min(Math.max(index, 0), steps.length - 1);
    steps.forEach((step, i) => { step.hidden = i !== current; });
    previous.setAttribute("aria-disabled", current === 0);
    next.setAttribute("aria-disabled", current === steps.length - 1);
    position.textContent = `Step ${current + 1} of ${steps.length}`;
  };
  previous.addEventListener("click", () => show(current - 1));
  next.addEventListener("click", () => show(current + 1));
  group.querySelector(".tc-controls").addEventListener("keydown", (event) => {
    const target = { ArrowLeft: current - 1, ArrowRight: current + 1, Home: 0, End: steps.length - 1 }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    show(target);
  });
  group.querySelector(".tc-controls").hidden = steps.length < 2;
  show(0);
}
// A region that does not scroll needs no stop of the tab key.
const watcher = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const region of document.querySelectorAll(".tc-scroll")) watcher.observe(region);
