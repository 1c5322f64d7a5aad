/// The one style sheet. Text in a serif, figures and numbers in the system's sans with equal digits; one column, figures
/// as wide as it; eight colours with a contrast of at least 3 : 1 to the paper, in light and dark.
enum Style {
    static let sheet = palette + text + tables + drawings + print

    private static let palette = """
        :root{color-scheme:light dark;--paper:#fdfcfa;--ink:#1e2226;--soft:#59606a;--line:#dcd9d2;--tint:#f4f2ed;
        --good:#15703a;--bad:#b3261e;--c1:#1f5fa8;--c2:#c2410c;--c3:#157f3f;--c4:#7e22ce;--c5:#946200;--c6:#0e7490;
        --c7:#be185d;--c8:#8a8880}
        @media(prefers-color-scheme:dark){:root{--paper:#16181b;--ink:#e7e5e0;--soft:#a6abb3;--line:#383c42;--tint:#1f2226;
        --good:#6fcf8e;--bad:#ff8a80;--c1:#7db4ef;--c2:#ff9a62;--c3:#6fcf8e;--c4:#c9a0f5;--c5:#dcbb4e;--c6:#5fc9dc;
        --c7:#f58ab8;--c8:#7c7f85}}

        """

    private static let text = """
        *{box-sizing:border-box}
        html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
        body{margin:0 auto;max-width:58rem;padding:2.5rem 1.25rem 4rem;background:var(--paper);color:var(--ink);
        font:1.0625rem/1.55 Charter,"Bitstream Charter","Iowan Old Style",Cambria,Georgia,"DejaVu Serif",serif;overflow-wrap:break-word}
        h1{font-size:2rem;line-height:1.2;margin:0 0 .4rem;font-weight:600;letter-spacing:-.01em}
        h2{font-size:1.45rem;line-height:1.25;margin:3.5rem 0 .5rem;padding-top:.9rem;border-top:2px solid var(--ink);font-weight:600}
        h3{font-size:1.05rem;margin:1.6rem 0 .3rem}
        p{margin:.5rem 0;max-width:42rem}
        a{color:var(--c1);text-underline-offset:.15em}
        .facts,nav,figure,table,.key,.absent,footer,details{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
        .facts{color:var(--soft);font-size:.875rem;max-width:none}
        .facts span:not(:last-child)::after{content:" ·";color:var(--line)}
        nav{margin:1.6rem 0 0;font-size:.95rem;line-height:1.45}
        nav ol{list-style:none;margin:0;padding:0;border-top:1px solid var(--line)}
        nav li{display:grid;grid-template-columns:15rem 1fr;gap:.1rem 1.25rem;padding:.6rem 0;border-bottom:1px solid var(--line)}
        nav a{font-weight:600;text-decoration:none}
        .answer{font-size:1.125rem;margin-bottom:1rem}
        .absent{color:var(--soft);font-size:.9rem;border-left:3px solid var(--line);padding-left:.75rem}
        .good{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}
        .soft{color:var(--soft)}
        footer{margin-top:4rem;border-top:1px solid var(--line);color:var(--soft);font-size:.8rem}

        """

    private static let tables = """
        table{border-collapse:collapse;width:100%;font-size:.85rem;line-height:1.35;font-variant-numeric:tabular-nums}
        th,td{padding:.22rem .5rem;text-align:right;font-weight:400;vertical-align:baseline}
        th:first-child,.texts td,.texts th{text-align:left}
        th:first-child,td:first-child{padding-left:0}
        th:last-child,td:last-child{padding-right:0}
        thead th{color:var(--soft);font-size:.78rem;border-bottom:1px solid var(--line);vertical-align:bottom}
        tbody tr+tr>*{border-top:1px solid color-mix(in srgb,var(--line) 45%,transparent)}
        .strong>*{font-weight:650}
        .group th{padding-top:1rem;font-weight:650;border-bottom:1px solid var(--line)}
        .glyphs td,.glyphs th{vertical-align:middle}
        .glyphs .g{width:42%;padding:0 .6rem;text-align:left}
        .glyphs td.g{position:relative;height:1.75rem}
        .glyphs td:not(.g){white-space:nowrap}
        .glyphs .g svg{position:absolute;left:.6rem;top:0;width:calc(100% - 1.2rem);height:100%;overflow:visible}
        .ticks{position:relative;height:1.3rem;border-top:1px solid var(--soft);color:var(--soft);font-size:.72rem}
        .ticks span{position:absolute;top:.2rem;transform:translateX(-50%);white-space:nowrap}
        .ticks .first{transform:none}.ticks .last{transform:translateX(-100%)}
        .lists h3{font:600 .95rem/1.4 system-ui,sans-serif;margin:1.4rem 0 .2rem}

        """

    private static let drawings = """
        figure{margin:1.8rem 0}
        figcaption{font-size:.9rem;line-height:1.45;margin-bottom:.5rem;max-width:44rem;color:var(--soft)}
        figcaption b{color:var(--ink)}
        .drawing{overflow-x:auto}
        details{font-size:.85rem;margin-top:.4rem}
        summary{cursor:pointer;color:var(--soft);width:max-content}
        details>table{margin:.4rem 0;width:auto;min-width:50%}
        .row{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(19rem,100%),1fr));gap:0 2rem}
        .row figure{margin:1rem 0}
        .key{font-size:.8rem;color:var(--soft);margin:.2rem 0 .4rem;max-width:none;line-height:1.6}
        .key span{white-space:nowrap;margin-right:.7em}
        .key b{margin-right:.7em;color:var(--ink);text-transform:capitalize}
        .key span::before{content:"";display:inline-block;width:.65em;height:.65em;border-radius:50%;margin-right:.35em;background:var(--k)}
        .plot{display:block;width:100%;max-width:30rem;height:auto}
        .plot text{font-size:10.5px;fill:var(--soft)}
        .plot .title{fill:var(--ink)}.plot .note{fill:var(--ink)}
        svg path{vector-effect:non-scaling-stroke}
        .axis{stroke:var(--soft);fill:none}.grid{stroke:var(--line);stroke-width:.75;fill:none}
        .rule{stroke:var(--soft);stroke-dasharray:3 3;fill:none}
        .line{fill:none;stroke:var(--k);stroke-width:2;stroke-linejoin:round}
        .dots,.dot{fill:none;stroke:var(--k);stroke-width:7;stroke-linecap:round}
        .dot{stroke-width:8}
        .whisker{fill:none;stroke:var(--k);stroke-width:2}
        .area{fill:var(--k);stroke:none}
        .plot .area{fill-opacity:.75}
        .course{fill:none;stroke:var(--k);stroke-width:4.5;stroke-linecap:round}
        .maps{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(22rem,100%),1fr));gap:1rem 1.5rem}
        .map{display:block;width:100%;height:auto;background:var(--tint);border-radius:4px}
        .map circle{r:9px;fill:transparent}
        .map circle:hover{fill:none;stroke:var(--ink);stroke-width:2.5}
        .s1,.f1,.k1{--k:var(--c1)}.s2,.f2,.k2{--k:var(--c2)}.s3,.f3,.k3{--k:var(--c3)}.s4,.f4,.k4{--k:var(--c4)}
        .s5,.f5,.k5{--k:var(--c5)}.s6,.f6,.k6{--k:var(--c6)}.s7,.f7,.k7{--k:var(--c7)}.s8,.f8,.k8{--k:var(--c8)}
        @media(max-width:40rem){body{padding-top:1.25rem}h1{font-size:1.6rem}h2{margin-top:2.5rem}
        nav li{grid-template-columns:1fr}.glyphs .g{width:34%;padding:0 .3rem}.glyphs .g svg{left:.3rem;width:calc(100% - .6rem)}table{font-size:.8rem}th,td{padding:.22rem .35rem}
        .glyphs td:not(.g){white-space:normal}.optional,.ticks span:not(:first-child,:last-child){display:none}}

        """

    private static let print = """
        @media print{:root{--paper:#fff;--ink:#000;--soft:#444;--line:#ccc;--tint:#fff;--good:#15703a;--bad:#b3261e;
        --c1:#1f5fa8;--c2:#c2410c;--c3:#157f3f;--c4:#7e22ce;--c5:#946200;--c6:#0e7490;--c7:#be185d;--c8:#8a8880}
        body{max-width:none;padding:0;font-size:10pt}figure,tr,nav li,.lists>div{break-inside:avoid}h2,h3,figcaption{break-after:avoid}
        .drawing{overflow:visible}details:not([open]){display:none}a{color:inherit}@page{margin:16mm}}
        """
}
