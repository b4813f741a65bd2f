"use strict";
const root = document.documentElement;
root.classList.add("js");

// A slider moves through the histograms.
document.addEventListener("input", e => {
  if (e.target.id !== "frame") return;
  const k = Number(e.target.value);
  [...document.querySelectorAll("#frames .frame")].forEach((f, i) => { f.hidden = i !== k; });
  e.target.parentElement.querySelector("output").textContent = e.target.dataset.stops.split("|")[k];
});

// From a server the page is asked for anew as long as the run goes on; a file is what it is.
if (location.protocol !== "file:") {
  let version = "", failures = 0;
  const ask = async () => {
    try {
      const answer = await fetch("page?after=" + version, { cache: "no-store" });
      failures = 0;
      if (answer.status === 200) {
        version = answer.headers.get("X-Version");
        const next = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of ["header", "nav", "main"]) {
          document.querySelector(part).replaceWith(document.adoptNode(next.querySelector(part)));
        }
      }
    } catch {
      if (++failures === 3) { // the process has ended
        root.classList.add("ended");
        const p = document.querySelector(".subtitle");
        p.textContent = "The run has ended, or its process has: live.html in the run folder has the whole page. " + p.textContent;
        return;
      }
    }
    setTimeout(ask, 1000);
  };
  setTimeout(ask, 1000);
}
