// Turns code blocks of Mermaid into diagrams. Mermaid itself is not kept here: it is fetched when a page has a diagram.
// Where it cannot be fetched, the source stays as it is, which can be read as well.
(() => {
  const MERMAID = {
    src: 'https://cdn.jsdelivr.net/npm/mermaid@11.17.2/dist/mermaid.min.js',
    integrity: 'sha384-EOXBFmc3gx5mb+vn0vPvvGqACToJD24hhacX5Yx+8NUUQrHIle/Qi5Bg9o3zKwW2',
  };

  const blocks = [...document.querySelectorAll('pre > code.language-mermaid')];
  if (blocks.length === 0) return;

  const diagrams = blocks.map((code) => {
    const source = code.textContent;
    const figure = document.createElement('figure');
    figure.className = 'diagram';
    figure.hidden = true;
    code.parentElement.after(figure);
    return { source, pre: code.parentElement, figure };
  });

  const isDark = () => ['coal', 'navy', 'ayu'].some((name) => document.documentElement.classList.contains(name));

  let drawn = 0;
  const draw = async () => {
    const turn = ++drawn;
    mermaid.initialize({ startOnLoad: false, securityLevel: 'strict', theme: isDark() ? 'dark' : 'default' });
    for (const [number, { source, pre, figure }] of diagrams.entries()) {
      try {
        const { svg } = await mermaid.render(`diagram-${turn}-${number}`, source);
        if (turn !== drawn) return;
        figure.innerHTML = svg;
        figure.hidden = false;
        pre.hidden = true;
      } catch (error) {
        console.warn('a diagram cannot be drawn', error);
      }
    }
  };

  const script = document.createElement('script');
  script.src = MERMAID.src;
  script.integrity = MERMAID.integrity;
  script.crossOrigin = 'anonymous';
  script.onload = () => {
    draw();
    // A reader who changes the theme gets the diagrams in its colours.
    let dark = isDark();
    new MutationObserver(() => {
      if (dark !== isDark()) {
        dark = isDark();
        draw();
      }
    }).observe(document.documentElement, { attributes: true, attributeFilter: ['class'] });
  };
  document.head.append(script);
})();
