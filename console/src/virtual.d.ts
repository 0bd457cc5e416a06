/* SPDX-License-Identifier: Apache-2.0 */
/* What build.mjs makes: the catalogues of content/i18n and the fields of the query language, from where the program has them. */
declare module 'virtual:messages/*' {
  const messages: Record<string, string>;
  export default messages;
}
declare module 'virtual:messages/vi' {
  const messages: Record<string, string>;
  export default messages;
}
declare module 'virtual:messages/en' {
  const messages: Record<string, string>;
  export default messages;
}
declare module 'virtual:fields' {
  const fields: { name: string; alias: string; type: string }[];
  export default fields;
}
declare module '*.css';
