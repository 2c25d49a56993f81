/** What Salesforce sends. */
export const ORGANIZATION = "00D5g000008AbcDEAW";

/** As Salesforce sends it; `fields` are what the sObject of each notification has. */
export function outboundMessage(
  notifications: readonly { readonly id: string; readonly fields: string }[] = [
    { id: "04l5g00000AAAAAAA0", fields: "<sf:Id>0035g00000AbCdEAAV</sf:Id><sf:Title>VP</sf:Title>" },
  ],
  { organization = ORGANIZATION, before = "" } = {},
): string {
  const each = notifications.map(
    ({ id, fields }) =>
      `   <Notification>\n    <Id>${id}</Id>\n    <sObject xsi:type="sf:Contact" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">\n${fields}\n    </sObject>\n   </Notification>\n`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
${before}<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId>${organization}</OrganizationId>
   <ActionId>04k5g000000BBBBAA4</ActionId>
   <SessionId>${SESSION}</SessionId>
   <EnterpriseUrl>https://example.my.salesforce.com/services/Soap/c/63.0/00D5g000008AbcD</EnterpriseUrl>
   <PartnerUrl>https://example.my.salesforce.com/services/Soap/u/63.0/00D5g000008AbcD</PartnerUrl>
${each.join("")}  </notifications>
 </soapenv:Body>
</soapenv:Envelope>`;
}

/** Whoever has it is the user in whose name the message was sent. */
export const SESSION = "00D5g000008AbcD!AQEAQNeverToBeSeen";
