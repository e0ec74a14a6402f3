/** Words that carry the grammar: they tell the language, and nothing of what a text is about. */
const LITTLE_WORDS: Record<string, string> = {
  en: `a about above after again all also am an and any are aren as at be because been before being below between both but by can cannot
    could couldn did didn do does doesn doing don down during each else etc even ever every few for from further get gets give given go goes
    good got had has hasn have haven having he her here hers him his how however i if in instead into is isn it its itself just know
    let like likely ll look made make makes making many may me might mine more most much must my need needs never new no nor not now of off
    often on once one only onto or other others our out over own per please rather re really same see set shall she should shouldn
    simple simply since so some something still such sure take than that the their them then there these they thing things this those
    through thus to too two under until up upon us use used useful user users uses using usually ve very via want was wasn way ways we well
    were what when where whether which while who whole whom why will with within without won would wouldn yes yet you your yours`,
  de: `aber alle allem allen aller als also am an andere auch auf aus bei beim bin bis bitte da damit dann das dass dein dem den denn der des die
    dies diese diesem diesen dieser doch durch ein eine einem einen einer eines er es euch für haben hat hier ich ihr ihre im in ist ja jede kann kein
    keine können man mehr mein mit muss nach nicht noch nun nur ob oder ohne schon sehr sein sich sie sind so über um und uns unser unter vom von
    vor war was weil wenn werden wie wir wird wurde zu zum zur zwischen`,
  fr: `afin ainsi alors au aussi autre autres aux avec avoir bien car ce cela ces cette ceux chez comme dans de des donc dont du elle elles en encore
    entre est et être eu fait il ils je la le les leur leurs lors lui mais même mes mon ne nos notre nous on ont ou où par pas plus pour qu que qui
    sa sans se ses si son sont sous sur ta te tes toi ton tous tout toute très tu un une vos votre vous`,
  es: `al algo ante aquí así aunque cada como con cual cuando de del desde donde dos el ella ellas ellos en entre era es esa ese eso esta está estas este
    esto estos fue ha hasta hay la las le les lo los más me mi mis muy nada ni no nos o os otra otro para pero por porque que quien se ser si sin
    sobre son su sus también te tiene todo todos tu un una uno unos usted y ya yo`,
  it: `abbiamo ad agli ai al alla alle allo anche ancora avere che chi ci come con cosa cui da dagli dai dal dalla delle dei del della dello di dopo
    dove e ed era essere fra gli ha hanno ho il in io la le lei loro lui ma me mi mio molto ne nei nel nella noi non nostro o ogni per perché però
    più poi può quale quando quella quello questa questo se sei si sia sono sopra su sua sue sugli sul sulla suo tra tu tutti tutto un una uno vi voi`,
  pt: `a ao aos as até com como da das de dela dele deles depois do dos e é ela elas ele eles em entre era essa esse esta está este eu foi há isso isto já
    lhe mais mas me mesmo meu minha muito na nas não nem no nos nós nossa nosso num o os ou para pela pelo por qual quando que quem se sem ser seu
    seus só sua suas também te tem um uma você vos`,
  nl: `aan al alle alles als altijd andere ben bij daar dan dat de der deze die dit doch doen door dus een eens en er ge geen geweest haar had heb hebben
    heeft hem het hier hij hoe hun iemand iets ik in is ja je kan kon kunnen maar me meer men met mij mijn moet na naar niet niets nog nu of om omdat
    onder ons ook op over reeds te tegen toch toen tot u uit uw van veel voor want waren was wat werd wezen wie wil worden wordt zal ze zelf zich zij
    zijn zo zonder zou`,
};

/** Words that nearly every English text about software or business has. */
const COMMON_WORDS = `
  able add added allow allowed allows already always another anything available based become best better call called case change
  check come comes contain contains create created current currently default different easily easy enable enabled example examples
  false file files find first following found full help hence high include included includes including info information install
  instance issue issues kind last later latest license licensed list little long main means most multiple name names non note number
  object open option optional options order part pass possible provide provided provides readme recommended related release released
  require required requires return returned returns right run running say second section several show similar single small source
  specific specified specify start started string support supported supports sometimes text three time times true try type under
  update updated usage value values various version versions work working works world write written year years npm yarn node_modules
  npmjs github http https www com org html href src img alt svg badge todo foo bar baz mit copyright`;

const LITTLE = new Map(Object.entries(LITTLE_WORDS).map(([language, words]) => [language, new Set(words.split(/\s+/))]));
const STOP = new Set([...LITTLE.get('en')!, ...COMMON_WORDS.trim().split(/\s+/)]);

export function isLittleWord(word: string, language: string): boolean {
  return LITTLE.get(language)?.has(word) ?? false;
}

/** English ones count in every language: most texts about software have some. */
export function isStopWord(word: string, language: string): boolean {
  return STOP.has(word) || isLittleWord(word, language);
}
