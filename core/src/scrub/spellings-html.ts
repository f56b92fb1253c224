/**
 * The named character references of ASCII and Latin-1 characters (HTML Living Standard, section 13.5), by character.
 */
export const HTML_NAMES: Record<string, string> = {
  ...namesFrom({
    '\t': 'Tab',
    '\n': 'NewLine',
    '!': 'excl',
    '"': 'quot',
    '#': 'num',
    $: 'dollar',
    '%': 'percnt',
    '&': 'amp',
    "'": 'apos',
    '(': 'lpar',
    ')': 'rpar',
    '*': 'ast',
    '+': 'plus',
    ',': 'comma',
    '.': 'period',
    '/': 'sol',
    ':': 'colon',
    ';': 'semi',
    '<': 'lt',
    '=': 'equals',
    '>': 'gt',
    '?': 'quest',
    '@': 'commat',
    '[': 'lsqb',
    '\\': 'bsol',
    ']': 'rsqb',
    '^': 'Hat',
    _: 'lowbar',
    '`': 'grave',
    '{': 'lcub',
    '|': 'vert',
    '}': 'rcub',
  }),
  ...namesFrom(
    Object.fromEntries(
      [
        'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr',
        'deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest',
        'Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml',
        'ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig',
        'agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml',
        'eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml',
      ]
        .flatMap((names) => names.split(' '))
        .map((name, i) => [String.fromCharCode(0xa0 + i), name]),
    ),
  ),
}

function namesFrom(names: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(names).map(([char, name]) => [char, `&${name};`]))
}
