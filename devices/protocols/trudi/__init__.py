"""Files of the transparency software TRuDI: the gateway's export, the supplier's tariff file, the tariff."""
