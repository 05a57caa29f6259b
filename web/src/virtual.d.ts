declare module "virtual:messages/*" {
  const messages: import("./texts/catalogue").Catalogue;
  export default messages;
}
declare module "virtual:reasons/*" {
  const messages: import("./texts/catalogue").Catalogue;
  export default messages;
}
declare module "*.module.css" {
  const classes: Readonly<Record<string, string>>;
  export default classes;
}
