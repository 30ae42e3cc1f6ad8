/**
 * Character classes as version 0.23 of the Rust `tokenizers` library has them (Unicode 16). Node's own `\p{…}` follows
 * another version of Unicode with every release of Node, and differs by thousands of characters; a model must see the
 * ids that it was trained on, so the classes are pinned here. A test compares every character with the library.
 *
 * Per range two numbers in base 36: the distance from the last range's end to its start, and from its start to its end.
 */
const tables = {
  /** `\p{L}` */
  letter: `
    1t p 7 p 1c 0 b 0 5 0 6 m 2 u 2 cp 5 b f 4 8 0 2 0 3m 4 2 1 3 3 2 0 7 0 2 2 2 0 2 j 2 2a 2 3u 9 4l
    2 11 3 0 7 14 20 q 5 3 1a 16 10 1 2 2q 2 0 g 1 8 1 b 2 3 0 h 0 2 t u 2g c 0 p w a 1 5 0 6 l 5 0 a 0
    4 0 o o 8 a 6 n 2 5 i 15 1n 1h 4 0 j 0 8 9 g f 5 7 3 1 3 l 2 6 2 0 4 3 4 0 h 0 e 1 2 2 f 1 b 0 9 5
    5 1 3 l 2 6 2 1 2 1 2 1 w 3 2 0 k 2 h 8 2 2 2 l 2 6 2 1 2 4 4 0 j 0 g 1 o 0 c 7 3 1 3 l 2 6 2 1 2 4
    4 0 v 1 2 2 g 0 i 0 2 5 4 2 2 3 4 1 2 0 2 1 4 1 4 2 4 b n 0 1h 7 2 2 2 m 2 f 4 0 r 2 3 0 3 1 v 0 5
    7 2 2 2 m 2 9 2 4 4 0 w 1 2 1 g 1 i 8 2 2 2 14 3 0 h 0 6 2 9 2 p 5 6 h 4 n 2 8 2 0 3 6 1n 1b 2 1 d
    6 1n 1 2 0 2 4 2 n 2 0 2 9 2 1 a 0 3 4 2 0 m 3 x 0 1s 7 2 z s 4 38 16 l 0 h 5 5 3 4 0 4 1 8 2 5 c d
    0 i 11 2 0 6 0 3 16 2 98 2 3 3 6 2 0 2 3 3 14 2 3 3 w 2 3 3 6 2 0 2 3 3 e 2 1k 2 3 3 1u 12 f h 2d 3
    5 4 h7 3 g 2 p 6 22 7 7 8 h e i f h f c 2 2 g 1f 10 0 5 0 1w 2g 8 4 3 x 2 0 6 1x b u 1e t 3 4 c 17
    5 p 1j m a 1g 2b 0 2m 1a i 7 1j t e 1 b 17 r z 16 2 b z 3 a 6 16 3 2 16 3 2 5 2 1 4 0 6 5b 1t 7p 3
    5 3 11 3 5 3 7 2 0 2 0 2 0 2 u 3 1g 2 6 2 0 4 2 2 6 4 3 3 5 5 c 6 2 2 6 39 0 e 0 h c 2u 0 5 0 3 9 2
    0 4 4 7 0 2 0 2 0 2 3 2 a 3 3 6 4 5 0 1h 1 22k 6c 7 3 4 1 d 11 2 0 6 0 3 1j 8 0 h m a 6 2 6 2 6 2 6
    2 6 2 6 2 6 2 6 29 0 d2 1 17 4 6 1 5 2d 7 2 2 2h 2 3 6 16 2 2l i v 1d f e9 533 1t h3g 1w 19 3 7g 4
    f b 1 l 1a h u 3 1x 1e 8 3 2u 3 1u 3 1 2 0 2 7 m f 2 2 2 3 2 m u 1f f 1d 1r 5 4 0 2 1 c r b m q s 8
    1a t 0 h 4 2 9 b 4 2 14 o 2 2 7 l m 4 0 4 1d 2 0 4 1 3 4 3 0 2 0 p 2 3 a 8 2 d 5 3 5 3 5 a 6 2 6 2
    16 2 d 7 36 u 8mb d m 5 1c 6it a5 3 2x 13 6 d 4 6 0 2 9 2 c 2 4 2 0 2 1 2 1 2 2z y a2 j 1r 3 1h 15
    b 39 4 2 3q 11 p 7 p c 2g 4 5 3 5 3 5 3 2 10 b 2 p 2 i 2 1 2 e 3 d z 3e au s 4 1c 1c v e j 2 7 7 11
    b t 3 z 5 7 1d 4d j z 5 z 5 13 9 1f d a 2 e 2 6 2 1 2 a 2 e 2 6 2 1 4 1f d 8m a l b 7 p 5 2 15 2 8
    1y 5 3 0 2 17 2 1 4 0 3 m b m a u 1u i 2 1 b l b p 1z 1j 7 1 1t 0 g 3 2 2 2 s 17 s 4 s 10 7 2 r s
    1h b l b i e h 33 20 1k 1e e 1e e z 13 r a m 6z 15 7 1 h 2 1o s b 0 9 l 17 h 1b k s m d 1g 1m 1 3 0
    e 18 x o r z u 0 3 0 9 y 4 0 d 1b f 3 m 0 2 0 10 h 2 o k 1 1s 6 2 0 2 3 2 e 2 9 8 1a 13 7 3 1 3 l 2
    6 2 1 2 4 4 0 j 0 d 4 v 9 2 0 3 0 2 11 2 0 q 0 2 0 19 1g j 3 l 2 v 1b l 1 2 0 55 1a 16 3 11 1b l 0
    1o 16 e 0 20 q 12 6 56 17 39 1r w 7 3 0 3 7 2 1 2 n g 0 2 0 2n 7 3 12 h 0 2 0 t 0 b 13 8 0 m 0 c 19
    k 0 j 20 5k w w 8 2 10 i 0 1e t 35 6 2 1 2 11 m 0 q 5 2 1 2 v f 0 94 i g 0 2 c 2 x 3h 0 28 pl 6f 5f
    219 2o g tr i 5 q 32y 6 g6 5a2 t 1cz fs 8 u i 26 i t j 1b h 3 w k 6 i c1 18 5w 1r 3l 22 6 0 1v c 1t
    1 2 0 t 4qf 9 yd 16 9 6w8 3 2 6 2 1 2 82 g 0 u 2 3 0 f 3 9 az 1s5 2y 6 c 4 8 8 9 4mf 2c 2 1y 2 1 3
    0 3 1 3 3 2 b 2 0 2 6 2 1s 2 3 3 7 2 6 2 r 2 3 2 4 2 0 4 6 2 9f 3 o 2 o 2 u 2 o 2 u 2 o 2 u 2 o 2 u
    2 o 2 7 1f9 u 7 5 7a 1p 43 18 b 6 h 0 8y t j 17 dh r 6d t 3 0 ds 6 2 3 2 1 2 e 2 5g 1o 1v 8 0 xh 3
    2 q 2 1 2 0 3 0 2 9 2 3 2 0 2 0 7 0 5 0 2 0 2 0 2 2 2 1 2 0 3 0 2 0 2 0 2 0 2 0 2 1 2 0 3 3 2 6 2 3
    2 3 2 0 2 9 2 g 6 2 2 4 2 g 3et wyn x 37d 7 65 3 4g1 f 5rk g h9 1wj f1 15v 3t6 6 38f
  `,
  /** `\p{N}` */
  number: `
    1c 9 3d 1 6 0 3 2 142 9 3r 9 5j 9 bh 9 3b 9 5 5 31 9 3b 9 3b 9 3 5 33 c 38 9 9 6 2w 9 2x 6 8 i 32 9
    2p 9 3b 9 1z j 7h 9 1z 9 k0 j oi 2 6o 9 7 9 n 9 8d 9 3l a 4m 9 7 9 53 9 2f 9 3r 9 7 9 t3 0 4 5 7 9
    5j 1e 3 4 k7 1n 27 l hj t 12i 0 lm 0 q 8 f 2 9k 3 3v 9 v 7 2 e x 9 14 e msh 9 59 9 8x 5 4b 9 13 9
    5j 9 n 9 2f 9 bb 9 gev 9 dq 18 d 1k i 1 9i q 11 3 u 0 9 0 3r 4 5n 9 q7 7 q 6 14 8 24 4 n 5 4h 1 3 f
    3 19 1t 8 1h 1 v 2 24 4 2x 7 p 7 16 6 97 5 1d 9 7 9 7r u 4f 9 17 3 35 6 3r t 3l 9 1p 9 41 9 8 j 70
    9 9j 9 3b 9 af 9 2v 9 7 j 25 b bp i 2m 9 if 9 2f s 6c 9 1z 9 br 9 2v k to 32 c02 9 1t3 9 2f 9 3r 9
    2 6 en 9 7b m imy 9 153 j d j 31 o uu 1d 1tt 9 br 9 dz 9 6w 9 jx 8 3l 9 m0 1m 2 2 2 3 25 18 2 e qr
    c 25g 9
  `,
  /** The part of `\w` that is no letter. */
  mark: `
    1c 9 12 0 ip 33 7o 6 7c 18 2 0 2 1 2 1 2 0 21 a 1d u 7 0 2u 6 3 5 3 1 2 3 3 9 o 0 v q 2k a g 9 y 8
    a 0 p 3 2 8 2 2 2 4 18 2 1o 8 17 n 2 w 1j 2 2 h 2 6 b 1 3 9 i 2 1l 0 2 6 3 1 3 2 a 0 b 1 3 9 f 0 3
    2 1l 0 2 4 5 1 3 2 4 0 l b 4 0 c 2 1l 0 2 7 2 2 2 2 l 1 3 9 b 5 2 2 1l 0 2 6 3 1 3 2 8 2 b 1 3 9 j
    0 1o 4 4 2 2 3 a 0 f 9 h 4 1k 0 2 6 2 2 2 3 8 1 c 1 3 9 i 2 1l 0 2 6 2 2 2 3 8 1 c 1 3 9 4 0 d 3 1k
    1 2 6 2 2 2 3 a 0 b 1 3 9 i 2 1z 0 5 5 2 0 2 7 7 9 3 1 1q 0 3 6 d 7 2 9 2g 0 3 8 c 6 2 9 1r 1 7 9 c
    0 2 0 2 0 5 1 1e j 2 1 6 a 2 z a 0 2t j 2 9 d 3 5 2 2 2 3 6 4 3 e b 2 e jk 2 pb 2 y 3 t 2 u 1 v 1
    1t v a 0 3 9 y 2 2 a 30 1 z 0 3b b 5 b b 9 3l 9 1q 4 1m 9 2 s 3 a 7 9 n u 1e 4 1c g c 9 i 8 d 2 v c
    3 9 19 d 1d j 9 9 7 9 3b 2 2 k 5 0 7 0 3 2 5j 1r el 1 1e 1 k 0 3g w 34 y 3 3 mm 1f 1l2 2 3y 0 2p v
    eg 0 q e 9 2 2n 1 n7q 9 1y 3 2 9 x 1 1z b 7l 0 4 0 5 0 o 4 5 0 2c 1 1f h b 9 7 h e a t 7 q c 19 3
    1c d g 9 c 0 b 9 1c d d 0 9 1 3 9 y 2 1f 0 2 2 3 1 6 1 2 0 16 4 6 1 6l 7 2 1 3 9 fmt 0 ki f h f 4 1
    p 2 5d 9 12 0 e9 1g 3t 0 6b 0 2p 0 9 0 18 4 2f 4 5n 9 120 2 2 1 6 3 15 2 5 0 4m 1 fy 3 9 9 7 9 w 4
    8u 1 28 3 1z a 1e 3 3f 2 1i e w a 3 1 b 3 1a a 8 0 1a 9 7 2 11 d 2 9 6 1 19 0 d 2 1d d 9 3 2 b 2b b
    7 0 3 0 4e b 6 9 7 3 1k 1 2 6 3 1 3 2 a 0 b 1 3 6 4 4 1w 8 2 0 3 0 2 3 2 4 2 0 f 1 2b h a 9 5 0 2a
    j d 9 5y 6 3 8 s 1 2b g g 9 2a c 9 9 7 j 1m e 5 9 6r e 4m 9 1z 5 2 1 3 3 2 0 2 1 d 9 3c 6 3 6 4 0 t
    9 15 6 2 3 9 0 a a 1b f 9j 9 1i 7 2 7 h 9 1l l 2 d 3f 5 4 0 2 1 2 6 2 0 9 9 1d 4 2 1 2 4 9 9 96 3 a
    1 2 0 1d 6 4 4 e a x2 32 34i 0 7 e 8uh r 1t3 9 2f 9 13 4 1o 6 q 9 ev 9 d2 0 2 1i 8 3 2a 0 c 1 f58 1
    382 9 ef 19 3 m f3 4 4 5 9 7 3 6 v 3 45 2 13e 1d e9 1i 5 1d 9 0 f 0 n 4 2 e 11t 6 2 g 3 6 2 1 2 4
    2t 0 4h 6 a 9 9x 0 1q d dv d 6t 1 2 9 k6 6 32 6 6 9 1jr p 7 p 7 p 21z 9 gvt3 6n
  `,
  /**
   * Characters of Unicode 9 that a normalization form changes, joins or reorders. Those that no form touches fill gaps
   * between them, which makes the table shorter.
   */
  normalizable: `
    1n mx 6 4 6 6 2 0 2 j 4 9g 3y 0 a 1i 9 q 8 0 u a 8 5n 10 1l 4h 8 z n 18 2 3d 3v 1u 1 d 0 d 2 9 0
    4 2 a 0 5 1 2 0 1j 6 f 0 7 1 3 0 2 0 4 0 h 0 c 2 3 0 2m 0 h 0 2c 1 q 2 9 1 3 2 9 1 5 1 1h 2 16 0
    8 1 3 3 a 0 33 2 5 0 8 1 2u 6 4 2 2 3 8 1 2w 0 8 1 3 3 a 0 37 0 5 0 a 6 2c 7 e 3 2w 6 f 3 h 1 1b
    1j 9 t 8 y 9 t d 0 2n 2w 33 5i bf 2 qd 0 w 0 4e b 5o 0 40 2 64 1 20 s 3 0 1d d 20 1r 13 8 1j 21
    1w 0 49 10 4 1 1f 5l 6 7u 3 5 3 11 3 5 3 7 2 0 2 0 2 0 2 u 3 1g 2 e 2 d 3 5 2 i 3 2 2 8 2 2n h 1
    3 q 2 c c 0 14 w g 3t 7 be 8m 1a5 bj 39 3i 0 g 0 2p v 4g 2c d 5x 17 1m c 26 5 2u 1e 2l 4 d 2p u
    2 66 2 57a 53 g3z 1cj 3m 3j 0 3s e 5a 0 s h 1m 14 2o d 6o h 1h 0 2u 3 3y 0 j 8mb 6l9 a5 3 2x 13
    6 d 4 6 p 2 4 2 0 2 1 2 1 2 2z y a2 j 1r 3 1h 15 c k 9 7 1e 2 i 2 3 5 4 2 3q 5 59 4 5 3 5 3 5 3
    2 4 6 2 6 en 0 6b 0 46 4 1ar 2 15 2 5 0 4m 1 128 0 1l 1n 1y 1g 1r 0 25 a 2z 1 4z 1 2a 2 9 0 4 2
    a 0 f 6 4 4 5q 4 2y j 6k 0 9 8 3j 0 3b 1 38 0 104 0 fjl 4 1o 6 g2w 0 43d 2x 3m 2 cc 2c 2 1y 2 1
    3 0 3 1 3 3 2 b 2 0 2 6 2 1s 2 3 3 7 2 6 2 r 2 3 2 4 2 0 4 6 2 9f 3 83 3 1d 1kx 6 2 g 3 6 2 1 2
    4 1pi 6 32 6 xi 3 2 q 2 1 2 0 3 0 2 9 2 3 2 0 2 0 7 0 5 0 2 0 2 0 2 2 2 1 2 0 3 0 2 0 2 0 2 0 2
    0 2 1 2 0 3 3 2 6 2 3 2 3 2 0 2 9 2 g 6 2 2 4 2 g g5 a 6 u 2 1n 11 0 34 2 e 17 5 8 8 1 2xd wke
    g74 f1
  `,
} as const;

/** The inside of a regular expression's `[…]`. */
function classSource(name: keyof typeof tables): string {
  let end = 0;
  const next = (distance: string) => {
    end += Number.parseInt(distance, 36);
    return `\\u{${end.toString(16)}}`;
  };
  return tables[name]
    .trim()
    .replace(/(\w+)\s+(\w+)\s*/g, (_, start, length) => `${next(start)}-${next(length)}`);
}

export const letter = classSource("letter");
export const number = classSource("number");
export const word = letter + classSource("mark");
/** The `Digits` pre-tokenizer follows Unicode 17, which has two more ranges of numbers. */
export const digit = `${number}\\u{11de0}-\\u{11de9}\\u{16ff4}-\\u{16ff6}`;

export type Form = "NFC" | "NFD" | "NFKC" | "NFKD";
export const forms: readonly Form[] = ["NFC", "NFD", "NFKC", "NFKD"];

const normalizable = new RegExp(`[${classSource("normalizable")}]+`, "gu");

/** The library normalizes by Unicode 9, and leaves later characters as they are: nothing joins or moves past them. */
export function normalize(text: string, form: Form): string {
  return text.replace(normalizable, (run) => run.normalize(form));
}
