// Arguments of the command line.

/** @returns the number that was given, or ends the process with what is wrong with it */
export function wholeNumber(name, given, least) {
  const number = Number(given);
  if (Number.isInteger(number) && number >= least) return number;
  return refuse(`--${name} must be a whole number of at least ${least}, and is ${given}`);
}

/** @returns those of the known names that were given, separated by commas; all when none were */
export function namesOf(name, given, known) {
  if (given === undefined) return known;
  const names = given.split(',');
  const unknown = names.filter((each) => !known.includes(each));
  if (unknown.length > 0) refuse(`--${name} does not know ${unknown.join(', ')}; it knows ${known.join(', ')}`);
  return known.filter((each) => names.includes(each));
}

function refuse(message) {
  console.error(message);
  return process.exit(1);
}
