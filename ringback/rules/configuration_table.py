"""The parameters of ``jabber-config.xml``, one a line: name, kind, default, and where needed ``key=value`` notes.

Kinds: ``flag`` (true, false), ``bit`` (0, 1), ``number:LEAST..GREATEST``, ``choice:A|B``, ``list`` (separated by
``;``), ``text``, ``xml``. ``-`` stands for no default. Notes: ``clients=`` desktop, mobile or windows where not all
clients read the parameter; ``change=`` the clients that have to sign out when the value changes (planning guide,
"Action for dynamic configuration changes"). Names, defaults and documented ranges are those of the vendor's parameter
references and planning guide; wide ranges without a source, and the section of single parameters, are inferred
(docs/interfaces/files.md).
"""

from __future__ import annotations

SECTIONS: dict[str, str] = {
    "Client": """
AllowUserSelectChatsFileDirectory flag true
AutoAcceptFileTransfer flag false
AutosaveChatsLocation text -
CachePasswordMobile flag true clients=mobile
ChatAlert text -
ChatTelephonyEscalationLimit number:0..1000 25
ContactCardonHover flag true clients=desktop
DefaultActionOfContactList choice:Chat|Call Chat
Disable_IM_History flag false
EnableAutosave flag false clients=desktop
EnableInImages flag true
EnableFecc flag true
EnablePrt flag true
ForceLogoutTimerMobile number:0..525600 - clients=mobile
MaxNumberOfBookmarks number:0..1000 30
MakeUsernameReadOnly flag false
Mention_GroupChat flag true
Mention_P2Pchat flag true
Mention_PersistentChat flag true
pChatMeeting flag true
pChatShare flag true
Persistent_Chat_Enabled flag false change=desktop
Persistent_Chat_Mobile_Enabled flag false clients=mobile
PersistentChatTelephonyEnabled flag true
RestoreChatOnLogin flag false clients=desktop
ShowRecentsTab flag true change=windows
EnableChats flag true change=windows
spell_check_language number:0..65535 - clients=windows
SwapDisplayNameOrder flag true change=all
SystemIdleDuringCalls flag false
UpdateURL text - clients=desktop
UseAnonymousBinding flag false
ConfigRefetchInterval number:7..9 -
""",
    "Options": """
AllowUserCustomTabs flag true
CalendarAutoRefreshTime number:0..1440 0
CalendarIntegrationType text -
Callhistory_Expire_Days number:0..3650 -
ConfMediaType text -
DockedWindowPosition choice:TopCenter|TopLeft|TopRight TopCenter clients=windows
DockedWindowVisible flag true clients=windows
EnableBridgeConferencing flag false
EnableLoadAddressBook flag false change=mobile
EnableSaveChatHistoryToExchange flag false clients=desktop
ExchangeAuthenticateWithSystemAccount flag true
ExchangeAutodiscoverDomain text -
Exchange_UseCredentialsFrom text -
ExternalExchangeServer text -
InternalExchangeServer text -
Location_Enabled flag true change=all
LOCATION_MATCHING_MODE text MacAddressOnly change=all
Location_Mode choice:ENABLED|DISABLED|ENABLEDNOPROMPT ENABLED
Set_Status_Away_On_Inactive flag true
Set_Status_Away_On_Lock_OS flag true clients=desktop
Set_Status_Inactive_Timeout number:1..1440 15
ShowContactPictures flag true
ShowOffContacts flag true
StartCallWithVideo flag true
Start_Client_On_Start_OS flag false clients=desktop
UseBridgeForConferenceCalls flag true
AdminConfiguredBot text -
SharePortRangeStart number:1024..65535 49152
SharePortRangeSize number:20..64511 -
IP_Mode choice:IPv4-Only|IPv6-Only|Two%20Stacks Two%20Stacks change=all
""",
    "Phone": """
CcmcipServer1 text -
CcmcipServer2 text -
CtiServer1 text -
CtiServer2 text -
TftpServer1 text -
TftpServer2 text -
E911EdgeLocationWhiteList list -
E911NotificationURL text -
EnableCallPark flag true
EnableDSCPPacketMarking flag true
EnableE911EdgeLocationPolicy flag false
EnableE911OnPremLocationPolicy flag false
EnableNGEPolicy choice:eNever|eOnPremOnly|eEdgeOnly|eAlways eOnPremOnly
LocalAuthenticationWithBiometrics text UserDecision clients=mobile
MakeCallHotKey text true clients=desktop
Meeting_Server_Address text -
Meeting_Server_Address_Backup text -
Meeting_Server_Address_Backup2 text -
useCUCMGroupForCti flag false
""",
    "Policies": """
AddContactProtocolRateLimit number:1..100 3
AddContactProtocolTimeLimit number:1..300 15
AlertOnAvailableEnabled flag true
BlockAccessoriesManagerPlugins list -
BlockVersionBelow text -
CiscoTelProtocolCrossLaunchBackNotificationEnabled flag true
CiscoTelProtocolCrossLaunchBackSchema text none
CiscoTelProtocolPermissionEnabled flag true
ClickToCallProtocolPermissionEnabled flag true
ClickToCallWithEditProtocolPermissionEnabled flag true
CommonCriteriaEndCallTimeout number:0..86400 300
CTIWindowBehaviour choice:OnCall|Never OnCall clients=desktop
DeskPhoneModeWindowBehavior choice:OnVideo|OnCall|Never OnCall clients=desktop
SoftPhoneModeWindowBehavior choice:OnVideo|OnCall|Never OnCall clients=desktop
DetailedLogDurationDesktop number:0..10000 - clients=desktop
DetailedLogDurationMobile number:0..10000 - clients=mobile
DiagnosticsToolEnabled flag true
Disable_MultiDevice_Message flag false change=all
DisableVoicemailSentBox flag false
Disallow_File_Transfer_On_Mobile flag false clients=mobile change=all
DisableMFTForConversationTypes list -
Disallowed_File_Transfer_Types list -
EnableAccessoriesManager flag true
EnableADLockPrevention flag false
EnableBFCPVideoDesktopShare flag true
EnableCallPickup flag false
EnableCiscoChatProtocol flag true
EnableCiscoIMGroupProtocol flag true
EnableCiscoIMProtocol flag true
EnableCiscoTelConfProtocol flag true
EnableCiscoTelProtocol flag true
EnableClickToCallProtocol flag true
EnableDualConnections flag false
EnableForensicsContactData flag true
EnableGroupCallPickup flag false
EnableHuntGroup flag false
EnableIMProtocol flag true
EnableLocalAddressBookSearch flag true
EnableLotusNotesContactResolution flag false clients=windows
EnableMediaStatistics flag true
EnableOtherGroupPickup flag false
EnableP2PDesktopShare flag true
EnableProfileProtocol flag true
EnablePromoteMobile flag false
EnableProvisionProtocol flag true
EnableRecordingTone flag true
EnableSaveChatToFile flag true
EnableShareProtocol flag true
EnablesSendLogsViaEmail flag true
EnableSIPProtocol flag true
EnableSIPURIDialling flag true
EnableStatusProtocol flag true
EnableTelephonyProtocolRateLimit flag true
EnableTelProtocol flag true
EnableTelProtocolPopupWindow flag false
EnableVideo flag true
EnableVoicePush flag true clients=mobile
EnableXMPPProtocol flag true
FCM_Push_Notification_Enabled flag true clients=mobile
File_Transfer_Enabled flag true
ForceC2XDirectoryResolution flag true
ForceDevicePin flag false clients=mobile
ForceFontSmoothing flag true clients=windows
ForceUpgradingOnMobile flag false clients=mobile
Inactive_Connection_Activation_Timer number:0..86400 120
InitialPhoneSelection choice:softphone|deskphone softphone
InstantMessageLabels xml - clients=windows
InvalidCredentialsLogout flag false
LegacyOAuthLogout flag false
LocalRecordingToneVolume number:0..100 10
LogWritingDesktop choice:Always|UserCanEnable Always clients=desktop
LogWritingMobile choice:Always|UserCanEnable Always clients=mobile
MaxNumberOfFilesDesktop number:1..1000 10 clients=desktop
MaxNumberOfFilesMobile number:1..1000 5 clients=mobile
Meetings_Enabled flag true change=all
MuteAudioByDefault flag false
NearEndRecordingToneVolume number:0..100 10
Prefer_BIB_Recorder flag false
PreferP2PDesktopShare flag false
PreferredFT choice:MFT|P2P -
PresenceProtocolRateLimit number:1..100 3
PresenceProtocolTimeLimit number:1..300 15
ProfileProtocolRateLimit number:1..100 3
ProfileProtocolTimeLimit number:1..300 15
ProvisionProtocolRateLimit number:1..100 3
ProvisionProtocolTimeLimit number:1..300 15
ShareProtocolRateLimit number:1..100 3
ShareProtocolTimeLimit number:1..300 15
PreventDeclineOnHuntCall flag true
PrintIMEnabled flag true
Push_Notification_Enabled flag true clients=mobile
Recent_Chats_Enabled flag true
RecordingToneInterval number:8000..32000 11500
RememberChatList choice:on|off on
RemoteAccess text - change=all
RemoteDestinationEditingWithMultipleDevices flag true
RemotePRTServer text -
Screen_Capture_Enabled flag true
ScreenShareAuditMessages flag false
selfcareURL text -
ServiceDiscoveryExcludedServices list -
ServicesDomainSsoEmailPrompt choice:ON|OFF OFF
VoiceServicesDomain text -
ShowSelfCarePortal flag true
SSO_Enabled flag true
TelemetryEnabled flag true
TelemetryEnabledOverCellularData flag true clients=mobile
TelemetryCustomerID text -
TelephonyProtocolRateLimit number:1..100 2
TelephonyProtocolTimeLimit number:1..300 10
Telephony_Enabled flag true change=all
UserDefinedRemoteDestinations flag false
Voicemail_Enabled flag true change=all
IM_Enabled flag true change=all
IM_Logging_Enabled flag true change=all
Support_SSL_Encoding flag true change=all
Support_No_Encoding flag true change=all
IGS_CUP_ENABLESECURE flag true change=all
Disallow-jaibreak-device flag false clients=mobile change=mobile
""",
    "Presence": """
CalendarWebExMeetingPresence flag false
LoginResource choice:multiResource|mutualExclusion multiResource
OutlookContactResolveMode text - clients=windows
PresenceServerAddress text -
PresenceServerURL text -
""",
    "Voicemail": """
ForwardVoicemail flag true
VoicemailPrimaryServer text -
VoicemailBackup1Server text -
VoicemailBackup2Server text -
""",
    "Directory": """
DirectoryServerType choice:AD|LDAP|CDI|EDI|BDI|UDS - change=all
PresenceDomain text - change=all
UdsServer text -
UdsPhotoUriWithToken text -
UseSIPURIToResolveContacts flag false change=all
UriPrefix text - change=all
SipUri text mail change=all
EmailAddress text mail
DirectoryUri text mail change=all
DirectoryUriPrefix text - change=all
MaxWordsOfFirstName number:1..10 2
MaxWordsOfLastName number:1..10 2
KerberosConfiguration text -
PrimaryServerName text -
SecondaryServerName text -
ServerPort1 number:1..65535 -
ServerPort2 number:1..65535 -
ConnectionUsername text -
ConnectionPassword text -
UseSSL flag false
UseANR flag true
BaseFilter text -
GroupBaseFilter text -
PredictiveSearchFilter text -
DisableSecondaryNumberLookups bit 0
SearchTimeout number:1..600 5
UseWildcards bit 0
MinimumCharacterQuery number:1..100 3
SearchBase1 text -
SearchBase2 text -
SearchBase3 text -
SearchBase4 text -
SearchBase5 text -
GroupSearchBase1 text -
GroupSearchBase2 text -
GroupSearchBase3 text -
GroupSearchBase4 text -
GroupSearchBase5 text -
PhotoUriSubstitutionEnabled flag false
PhotoUriSubstitutionToken text -
PhotoUriWithToken text -
PhotoSource text -
PhoneNumberMasks text -
LDAP_UseCredentialsFrom text -
LDAPUserDomain text -
LdapDNSForestDomain text -
LdapSiteName text -
LdapSupportedMechanisms text -
UseLdapReferral bit 0
CommonName text cn
DisplayName text displayName
Firstname text givenName
Lastname text sn
BusinessPhone text telephoneNumber
MobilePhone text mobile
HomePhone text homePhone
OtherPhone text otherTelephone
Title text title
CompanyName text company
UserAccountName text sAMAccountName
DomainName text dn
Country text co
Location text location
Nickname text displayName
PostalCode text postalCode
City text l
State text st
StreetAddress text streetAddress
""",
}

REPLACED: dict[str, str] = {
    "BDIEnableTLS": "UseSSL",
    "ConnectionType": "",
    "BDILDAPServerType": "",
    "UseWindowCredentials": "",
    "BDIUseJabberCredentials": "",
    "UseSecureConnection": "",
    "UseJabberCredentials": "",
}
"""Names of older releases, and what is written now; empty where nothing took their place. Every other name with the
prefix BDI is written without it now."""

SPELLINGS: dict[str, str] = {
    "UseSipUriToResolveContacts": "UseSIPURIToResolveContacts",
    "DISALLOW_FILE_TRANSFER_ON_MOBILE": "Disallow_File_Transfer_On_Mobile",
    "Location_Matching_Mode": "LOCATION_MATCHING_MODE",
    "IP_MODE": "IP_Mode",
}
"""Spellings that the documents use beside the one of the table; they count as right."""
